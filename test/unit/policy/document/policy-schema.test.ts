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

/** Validates like an editor: with plain YAML and the published schema, without our code. */
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
  it.each(cases)('agrees with the loader: %s, %s', (_file, _name, policyCase) => {
    const text = policyText(policyCase);
    let structural: boolean;
    try {
      structural = structureProblems(parseStrictYaml({ text: text, file: 'p.yaml', maxKibibytes: 512 })).length > 0;
    } catch (error) {
      // The schema does not cover problems of YAML itself and of our limits on it.
      expect(error).toBeInstanceOf(ConfigurationError);
      return;
    }
    expect(editorAccepts(asEditorReads(text))).toBe(!structural);
    if (structural) expect(() => loadCase(policyCase)).toThrow(ConfigurationError);
  });

  it('has valid and invalid cases', () => {
    const verdicts = cases.map(([, , policyCase]) => editorAccepts(asEditorReads(policyText(policyCase))));
    expect(verdicts.filter((accepted) => accepted).length).toBeGreaterThan(100);
    expect(verdicts.filter((accepted) => !accepted).length).toBeGreaterThan(40);
  });
});

// The service compiles both without this check, because it would take longer than the compilation.
it.each([
  ['the policy file', policySchema],
  ['the request body', upstreamBodySchema],
])('the schema of %s is a valid JSON Schema', (_what, schema) => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });
  expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
});
