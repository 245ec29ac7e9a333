// Generates documents from tables of the code: the policy's JSON Schema; the tables of request fields, settings and
// metrics in docs/; the codes and reasons in the schema of the audit line; sentences that pages and openapi.yaml
// repeat. `npm run schema` writes them; a test checks that the files are up to date.
import { existsSync, readFileSync } from 'node:fs';
import { adviceByReason } from '../src/authn/refusal-advice.ts';
import { settingTable, type Setting } from '../src/config/settings.ts';
import { errorCodes, errorRow } from '../src/errors.ts';
import { policySchema } from '../src/policy/document/policy-schema.ts';
import {
  paramFields,
  permissionFields,
  topFields,
  type FieldKind,
  type FieldRow,
} from '../src/policy/upstream-request.ts';
import { reasons } from '../src/refusal-reasons.ts';
import { metricTable, type MetricRow } from '../src/telemetry/metric-table.ts';

export interface GeneratedDocument {
  readonly file: string;
  readonly text: string;
}

const kindWords: Readonly<Record<FieldKind, string>> = {
  clientId: 'string',
  name: 'string',
  timeZone: 'IANA time zone',
  embedIds: 'list of strings, never empty',
  names: 'list of strings',
  metricFilters: 'list of `{ when, metricId, values }`',
  dashboardFilters: 'list of `{ when, dashboardId, values, isShowOnUrl }`',
  flag: '`true` or `false`',
};

const [begin, end] = ['<!-- fields of the request, written by `npm run schema` -->\n', '<!-- end of the fields -->\n'];

const groups: readonly (readonly [prefix: string, fields: Readonly<Record<string, FieldRow>>])[] = [
  ['', topFields],
  ['params.', paramFields],
  ['permissions.', permissionFields],
];

function fieldTable(): string {
  const rows = groups.flatMap(([prefix, fields]) =>
    Object.entries(fields).map(([name, { kind, about }]) => `| \`${prefix}${name}\` | ${kindWords[kind]} | ${about} |`),
  );
  return ['| field | value | what it does |', '|---|---|---|', ...rows, ''].join('\n');
}

/** Throws Error if the guide has no marks around the table. */
function withFieldTable(guide: string): string {
  const [before, rest] = guide.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/policy.md has no ${begin.trim()} … ${end.trim()}`);
  return `${before}${begin}${fieldTable()}${end}${after}`;
}

const code = (text: string): string => `\`${text}\``;

/** The row of a setting in docs/settings.md. */
function toTableRow({ name, default: fallback, fromFile, required, absent, description }: Setting): string {
  const names = fromFile ? `${code(name)}, ${code(`${name}_FILE`)}` : code(name);
  const value = required ? 'required' : (absent ?? (fallback === undefined ? 'none' : code(fallback)));
  return `| ${names} | ${value} | ${description} |`;
}

/** Throws Error if the page has no such table. */
function withSettings(page: string): string {
  const table = /(\n## All settings\n\n\| .*\n\| .*\n)(?:\|.*\n)*/;
  if (!table.test(page)) throw new Error('docs/settings.md has no table below "## All settings"');
  return page.replace(
    table,
    (_all, head: string) => `${head}${settingTable.map((row) => `${toTableRow(row)}\n`).join('')}`,
  );
}

const rows: readonly Setting[] = settingTable;

/** Lines of a comment, at most as wide as the code. */
function toComment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && `${line} ${word}`.length <= 124) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`# ${word}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Comments and default values of the settings that .env.example has. */
const withExampleValues = (example: string): string =>
  rows.reduce((text, { name, default: fallback = '', required, absent, description }) => {
    const entry = new RegExp(`^(?:# (?![A-Z][A-Z0-9_]*=).*\\n)+((?:# )?${name}=).*$`, 'm');
    const note = required ? 'required' : absent;
    const comment = toComment(note === undefined ? description : `${description}; ${note}`);
    return text.replace(entry, (_all, assignment: string) => `${comment}${assignment}${fallback}`);
  }, example);

/** The second cell of the rows that the page has. */
const withDescriptions = (page: string): string =>
  rows.reduce(
    (text, { name, description }) =>
      text.replace(
        new RegExp(`^(\\| \`${name}\` \\| ).*?( \\| .* \\|)$`, 'm'),
        (_all, start: string, end: string) => start + description + end,
      ),
    page,
  );

/** Cause and fix of the reasons of authn/, which `explain --verify` prints too, on the page of an error code. */
const withAdvice = (page: string): string =>
  Object.entries(adviceByReason).reduce(
    (text, [reason, { cause, fix }]) =>
      text.replace(new RegExp(`^\\| \`${reason}\` \\| .* \\|$`, 'm'), () => `| \`${reason}\` | ${cause} | ${fix} |`),
    page,
  );

/** In the quotes that oxfmt chooses. */
const quoted = (text: string): string =>
  text.includes("'") && !text.includes('"') ? JSON.stringify(text) : `'${text.replaceAll("'", "''")}'`;

/** The messages in the examples of openapi.yaml. */
const withMessages = (description: string): string =>
  errorCodes.reduce(
    (text, errorCode) =>
      text.replace(
        new RegExp(`(\\n +code: ${errorCode}\\n +message: ).*`, 'g'),
        (_all, start: string) => start + quoted(errorRow(errorCode).message),
      ),
    description,
  );

/** The section of docs/metrics.md for a metric. */
function toSection({ name, kind, labels, help, absent, advice }: MetricRow): string {
  const labelLines = Object.entries(labels).map(
    ([label, values]) => `- ${code(label)}: ${typeof values === 'string' ? values : values.map(code).join(', ')}`,
  );
  const kindAndHelp = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}. ${help}`;
  const absence = absent === undefined ? '' : ` Absent ${absent}.`;
  return [`### ${code(name)}`, '', `${kindAndHelp}${absence}`, '', ...labelLines, `- What to do: ${advice}`, ''].join(
    '\n',
  );
}

/** The metrics are the last sections of the page. */
function withMetrics(page: string): string {
  const rows: readonly MetricRow[] = Object.values(metricTable);
  return page.slice(0, page.indexOf('### ')) + rows.map(toSection).join('\n');
}

/** Throws Error if the schema has no such list. */
function withList(schema: string, member: string, values: readonly string[]): string {
  const list = new RegExp(`("${member}": \\{\\n +"enum": \\[\\n)( +)[^\\]]*?(\\n +\\])`);
  if (!list.test(schema)) throw new Error(`docs/operating/audit-line.schema.json has no enum of "${member}"`);
  return schema.replace(
    list,
    (_all, start: string, indent: string, end: string) =>
      `${start}${values.map((value) => `${indent}${JSON.stringify(value)}`).join(',\n')}${end}`,
  );
}

/** The expected content of the files, based on their current content. */
export function documents(root: URL): readonly GeneratedDocument[] {
  const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');
  return [
    {
      file: 'policy.schema.json',
      text: `${JSON.stringify(policySchema, null, 2)}
`,
    },
    { file: 'docs/policy.md', text: withFieldTable(read('docs/policy.md')) },
    { file: 'docs/settings.md', text: withSettings(read('docs/settings.md')) },
    { file: 'openapi.yaml', text: withMessages(read('openapi.yaml')) },
    { file: '.env.example', text: withExampleValues(read('.env.example')) },
    { file: 'docs/operating/settings.md', text: withDescriptions(read('docs/operating/settings.md')) },
    ...errorCodes
      .map((code) => `docs/errors/${code}.md`)
      .filter((file) => existsSync(new URL(file, root)))
      .map((file) => ({ file, text: withAdvice(read(file)) })),
    { file: 'docs/metrics.md', text: withMetrics(read('docs/metrics.md')) },
    {
      file: 'docs/operating/audit-line.schema.json',
      text: withList(withList(read('docs/operating/audit-line.schema.json'), 'code', errorCodes), 'reason', reasons),
    },
  ];
}
