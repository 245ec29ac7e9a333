import { describe, expect, it } from 'vitest';
import { decide } from '../../src/policy/decide.ts';
import { ConfigurationError, toLine } from '../../src/problem.ts';
import type { Claims } from '../../src/authn/principal.ts';
import { caseTime, loadCase, policyText, principalOf, readCases, type PolicyCase } from './policy-case.ts';

const problemsOf = (policyCase: PolicyCase): readonly string[] => {
  try {
    loadCase(policyCase);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(toLine);
    throw error;
  }
};

const claimsOf = ({ claims, claimsJson }: PolicyCase): Claims =>
  claimsJson === undefined ? (claims ?? {}) : (JSON.parse(claimsJson) as Claims);

describe.each(readCases())('%s', (_file, cases) => {
  it('names every case once', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it.each(cases.map((policyCase) => [policyCase.name, policyCase] as const))('%s', (_name, policyCase) => {
    const { body, denied, problems, lint, lifetimeMs, apiKeyName, dataApp, expiresIn } = policyCase;
    expect([body, denied, problems, lint].some((expected) => expected !== undefined)).toBe(true);

    if (problems !== undefined) {
      const lines = problemsOf(policyCase);
      expect(lines).toHaveLength(problems.length);
      for (const [i, part] of problems.entries()) expect(lines[i]).toContain(part);
      for (const line of lines) expect(line).toMatch(/^p\.yaml(:\d+:\d+)?: .+\. .+\.$/);
      return;
    }

    const policy = loadCase(policyCase);
    if (lint !== undefined) {
      const lines = policy.lint.map(toLine);
      expect(lines).toHaveLength(lint.length);
      for (const [i, part] of lint.entries()) expect(lines[i]).toContain(part);
    }
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
