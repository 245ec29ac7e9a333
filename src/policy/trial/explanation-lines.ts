// Formats an explanation for a terminal: body, fields and rules in aligned columns. No colours, so that it is the same
// in a log, a pager and a terminal.
import type { ExplainedField, ExplainedRule, Explanation, ReadClaim } from './explain-decision.ts';

/** Longer values are cut in tables; the body above them is whole. */
const maxCell = 48;

/** JSON without characters that control a terminal or reorder the line: claims may be hostile. */
const json = (value: unknown, indent?: number): string =>
  (JSON.stringify(value, null, indent) ?? 'null').replace(
    /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const cut = (text: string): string => (text.length > maxCell ? `${text.slice(0, maxCell - 1)}…` : text);

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return rows.map((row) => `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd());
}

const claimCell = (claims: readonly ReadClaim[]): string =>
  claims
    .map((claim) => {
      if (claim.name === '*') return 'all claims';
      return `${claim.name} = ${'value' in claim ? cut(json(claim.value)) : 'absent'}`;
    })
    .join(', ');

function fieldRow({ path, value, expression, position, claims }: ExplainedField): readonly string[] {
  if (path === 'expiryTime') return [path, json(value), 'lifetime in milliseconds', '', ''];
  if (expression === undefined) return [path, cut(json(value)), 'literal', '', ''];
  return [path, cut(json(value)), `\${${expression}}`, position ?? '', claimCell(claims ?? [])];
}

const ruleRow = ({ path, value, failed, expression, position, claims }: ExplainedRule): readonly string[] => [
  path,
  failed === undefined ? cut(json(value)) : 'failed',
  expression,
  position,
  claimCell(claims),
];

function denialLines({ denial }: Explanation): readonly string[] {
  if (denial === undefined) return [];
  const { code, reason, problem, position, claim, rule, message } = denial;
  const rows = [
    ['refused', `${code} (${reason})`],
    ['problem', problem],
    ['rule', rule === undefined ? '' : `${rule.path}: ${rule.expression}`],
    ['location', position ?? ''],
    ['reads', rule === undefined ? '' : claimCell(rule.claims)],
    ['claim', claim ?? ''],
    ['message', message ?? ''],
  ];
  return table(rows.filter(([, cell]) => cell !== ''));
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines];

/** The explanation as lines of text. */
export function explanationLines(explanation: Explanation): readonly string[] {
  const { policy, dataApp, apiKey, body, requestSha256, fields, rules } = explanation;
  const head = [
    ['policy', `${policy.file} (revision ${policy.revision})`],
    ['data app', dataApp ?? 'none named, and the policy has no default'],
    ['API key', apiKey ?? ''],
    ['decision', explanation.decision],
    ['request', requestSha256 === undefined ? '' : `SHA-256 ${requestSha256}`],
  ];
  return [
    ...table(head.filter(([, cell]) => cell !== '')).map((line) => line.slice(2)),
    ...section('Refusal', denialLines(explanation)),
    ...section('Body', body === undefined ? [] : json(body, 2).split('\n')),
    ...section('Where each field comes from', table((fields ?? []).map(fieldRow))),
    ...section('Rules, in the order they were evaluated', table(rules.map(ruleRow))),
  ];
}
