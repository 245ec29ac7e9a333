// The documents that follow from the rows of the request's fields: the JSON Schema for editors and the guide's table.
// `npm run schema` writes them; a test holds the files to them.
import { readFileSync } from 'node:fs';
import { policySchema } from '../src/policy/document/policy-schema.ts';
import {
  paramFields,
  permissionFields,
  topFields,
  type FieldKind,
  type FieldRow,
} from '../src/policy/upstream-request.ts';

export interface GeneratedDocument {
  readonly file: string;
  readonly text: string;
}

const kindWords: Readonly<Record<FieldKind, string>> = {
  clientId: 'text',
  name: 'text',
  timeZone: 'IANA time zone',
  embedIds: 'list of texts, never empty',
  names: 'list of texts',
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

/** Throws Error if the guide has lost the marks around the table. */
function withFieldTable(guide: string): string {
  const [before, rest] = guide.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/policy.md has no ${begin.trim()} … ${end.trim()}`);
  return `${before}${begin}${fieldTable()}${end}${after}`;
}

/** What the files should hold, given what they hold. */
export const policyDocuments = (root: URL): readonly GeneratedDocument[] => [
  { file: 'policy.schema.json', text: `${JSON.stringify(policySchema, null, 2)}\n` },
  { file: 'docs/policy.md', text: withFieldTable(readFileSync(new URL('docs/policy.md', root), 'utf8')) },
];
