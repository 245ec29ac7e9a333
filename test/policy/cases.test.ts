import { describe, expect, it } from 'vitest';
import { decide } from '../../src/policy/decide.ts';
import { ConfigurationError, toLine, type Problem } from '../../src/problem.ts';
import type { Claims } from '../../src/authn/principal.ts';
import { nameProblem } from '../support/sentences/name-sentence.ts';
import { caseTime, loadCase, policyText, principalOf, readCases, type PolicyCase } from './policy-case.ts';

const problemsOf = (policyCase: PolicyCase): readonly Problem[] => {
  try {
    loadCase(policyCase);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
};

/** The problems in the form of a case: position and name, and the fix if the case has one. */
const asExpected = (problems: readonly Problem[], expected: readonly string[]): readonly string[] =>
  problems.map((problem, i) => nameProblem(problem, { withFix: expected[i]?.includes(' → ') === true }));

const claimsOf = ({ claims, claimsJson }: PolicyCase): Claims =>
  claimsJson === undefined ? (claims ?? {}) : (JSON.parse(claimsJson) as Claims);

describe.each(readCases())('%s', (_file, cases) => {
  it('has unique names', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it.each(cases.map((policyCase) => [policyCase.name, policyCase] as const))('%s', (_name, policyCase) => {
    const { body, denied, problems, lint, lifetimeMs, apiKeyName, dataApp, expiresIn } = policyCase;
    expect([body, denied, problems, lint].some((expected) => expected !== undefined)).toBe(true);

    if (problems !== undefined) {
      const found = problemsOf(policyCase);
      expect(asExpected(found, problems)).toEqual(problems);
      for (const line of found.map(toLine)) expect(line).toMatch(/^p\.yaml(:\d+:\d+)?: .+\. .+\.$/);
      return;
    }

    const policy = loadCase(policyCase);
    if (lint !== undefined) expect(asExpected(policy.lint, lint)).toEqual(lint);
    if (body === undefined && denied === undefined) return;

    const exp = expiresIn === undefined ? undefined : caseTime / 1000 + expiresIn;
    const decision = decide(policy, principalOf(claimsOf(policyCase), exp), dataApp, caseTime);
    if (denied !== undefined) {
      expect(decision).toMatchObject({ kind: 'deny', denial: denied, policyRevision: policy.revision });
      expect(decision.kind === 'deny' && decision.denial).toEqual(denied);
      return;
    }
    if (decision.kind !== 'permit') expect.unreachable(`denied: ${JSON.stringify(decision.denial)}`);
    expect(decision.grant.request).toEqual(body);
    expect(Object.isFrozen(decision.grant.request)).toBe(true);
    if (lifetimeMs !== undefined) expect(decision.grant.lifetimeMs).toBe(lifetimeMs);
    if (apiKeyName !== undefined) expect(decision.grant.apiKeyName).toBe(apiKeyName);
    expect(policyText(policyCase)).toContain(decision.grant.request.dataAppName);
  });
});
