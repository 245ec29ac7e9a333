import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseStrictYaml } from '../../../../src/strict-yaml.ts';
import { policySchema } from '../../../../src/policy/document/policy-schema.ts';
import { structureProblems } from '../../../../src/policy/document/structure-problems.ts';
import { upstreamBodySchema } from '../../../../src/policy/upstream-request.ts';
import { ConfigurationError } from '../../../../src/problem.ts';
import { loadCase, policyText, readCases } from '../../../policy/policy-case.ts';

const published = JSON.parse(
  readFileSync(new URL('../../../../policy.schema.json', import.meta.url), 'utf8'),
) as object;

/** As an editor validates: plain YAML, the published file, no code of ours. */
const editorAccepts = new Ajv({ strict: true, allowUnionTypes: true }).compile(published);

const asEditorReads = (text: string): unknown => {
  try {
    return parse(text, { logLevel: 'silent' });
  } catch {
    return undefined;
  }
};

const cases = readCases().flatMap(([file, list]) =>
  list.map((policyCase) => [file, policyCase.name, policyCase] as const),
);

describe('policy.schema.json', () => {
  it.each(cases)('gives editors the result of the loader: %s, %s', (_file, _name, policyCase) => {
    const text = policyText(policyCase);
    let structural: boolean;
    try {
      structural = structureProblems(parseStrictYaml({ text: text, file: 'p.yaml', maxKibibytes: 512 })).length > 0;
    } catch (error) {
      // What YAML itself or our limits on it refuse is not the schema's to say.
      expect(error).toBeInstanceOf(ConfigurationError);
      return;
    }
    expect(editorAccepts(asEditorReads(text))).toBe(!structural);
    if (structural) expect(() => loadCase(policyCase)).toThrow(ConfigurationError);
  });

  it('has cases on both sides', () => {
    const verdicts = cases.map(([, , policyCase]) => editorAccepts(asEditorReads(policyText(policyCase))));
    expect(verdicts.filter((accepted) => accepted).length).toBeGreaterThan(100);
    expect(verdicts.filter((accepted) => !accepted).length).toBeGreaterThan(40);
  });
});

// The service compiles both without this check, which would cost every start more than the compiling.
it.each([
  ['the policy file', policySchema],
  ['the body that goes upstream', upstreamBodySchema],
])('the schema of %s is a valid JSON Schema', (_what, schema) => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });
  expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
});
