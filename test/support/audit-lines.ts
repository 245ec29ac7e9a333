// Checks audit lines against docs/operating/audit-line.schema.json, which auditors and log stores use.
import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';

interface AuditLineSchema {
  readonly oneOf: readonly {
    readonly additionalProperties: boolean;
    readonly properties: Readonly<Record<string, { readonly enum?: readonly string[]; readonly description?: string }>>;
  }[];
}

export const auditLineSchema = JSON.parse(
  readFileSync(new URL('../../docs/operating/audit-line.schema.json', import.meta.url), 'utf8'),
) as AuditLineSchema;

const isValid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(auditLineSchema);

/** One sentence for each difference between the line and the schema. */
export const auditLineProblems = (line: object): readonly string[] =>
  isValid(line) ? [] : (isValid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
