import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../../src/policy/decide.ts';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';
import { unverifiedPrincipal } from '../../../../src/policy/trial/unverified-principal.ts';
import { ConfigurationError } from '../../../../src/problem.ts';
import { nameProblem } from '../../../support/sentences/name-sentence.ts';

const text = `version: 1
dataApps:
  sales:
    default: true
    apiKey: SALES
    expiresIn: 90s
    withinAccessToken: true
    request:
      clientId: None
      params:
        allowedEmbeds: [embed-1, "\${claims.more}"]
        appFilters:
          - { metricId: metric-1, values: { a: 1 } }
          - { metricId: "\${claims.metric}", values: { a: 1 } }
        dashboardAppFilters:
          - { dashboardId: dashboard-1, values: { a: x } }
        hideDashboardFilters: [not-an-id]
  finance:
    expiresIn: 1h
    request: { clientId: acme }
`;

const load = (apiKeyNames?: readonly string[]) =>
  loadPolicy({
    text,
    file: 'p.yaml',
    maxLifetimeSeconds: 86_400,
    apiKeyNames,
  });

describe('a loaded policy', () => {
  it('has a revision: the first 12 digits of the SHA-256 of its file', () => {
    expect(load().revision).toBe(createHash('sha256').update(text).digest('hex').slice(0, 12));
  });

  it('lists its data apps in the order of the file', () => {
    const policy = load();
    expect([...policy.dataApps.keys()]).toEqual(['sales', 'finance']);
    expect(policy.defaultDataApp).toBe(policy.dataApps.get('sales'));
    expect(policy.defaultDataApp).toMatchObject({
      position: 'p.yaml:3:3',
      apiKeyName: 'DATABRAIN_API_KEY_SALES',
      expiresInMs: 90_000,
      withinAccessToken: true,
    });
  });

  it('lists the literal ids that only the upstream can check', () => {
    expect(load().dataApps.get('sales')?.references).toEqual([
      { kind: 'embed', id: 'embed-1', position: 'p.yaml:11:25' },
      { kind: 'metric', id: 'metric-1', position: 'p.yaml:13:25' },
      { kind: 'dashboard', id: 'dashboard-1', position: 'p.yaml:16:28' },
    ]);
  });

  it('needs no API keys in trials', () => {
    expect(() => load()).not.toThrow();
    expect(() => load(['DATABRAIN_API_KEY', 'DATABRAIN_API_KEY_SALES'])).not.toThrow();
    expect(() => load([])).toThrow(ConfigurationError);
  });
});

describe('an expression of a policy', () => {
  const loadLines = (...lines: readonly string[]) =>
    loadPolicy({
      text: lines.join('\n'),
      file: 'p.yaml',
      maxLifetimeSeconds: 86_400,
    });
  const withClientId = (value: string) => [
    'version: 1',
    'dataApps:',
    '  s:',
    '    expiresIn: 1h',
    `    request: { clientId: ${value} }`,
  ];
  const problemsOf = (...lines: readonly string[]): readonly string[] => {
    try {
      loadLines(...lines);
      return [];
    } catch (error) {
      if (error instanceof ConfigurationError)
        return error.problems.map(
          (problem) => `${nameProblem(problem)}${problem.problem.slice(problem.problem.lastIndexOf(', in '))}`,
        );
      throw error;
    }
  };

  it('reports the positions of its ternaries in the text', () => {
    const { sites } = loadLines(...withClientId('"${claims.a + (claims.b ? claims.c : claims.d)}"'));
    expect(sites[0]).toMatchObject({
      position: 'p.yaml:5:26',
      ternaries: [{ condition: 'claims.b', position: 'p.yaml:5:41' }],
    });
    const { sites: variables } = loadLines(
      'version: 1',
      'variables:',
      `  x: 'claims.a + (claims.b ? "c" : "d")'`,
      ...withClientId('acme').slice(1),
    );
    expect(variables[0]).toMatchObject({
      position: 'p.yaml:3:6',
      ternaries: [{ position: 'p.yaml:3:19' }],
    });
  });

  it('is refused with the position of the problem', () => {
    expect(problemsOf(...withClientId('"${claims.?a}"'))).toEqual(['p.yaml:5:29 optionalResult, in "claims.?a"']);
    expect(problemsOf(...withClientId('"${size(claims.a)}"'))).toEqual([
      'p.yaml:5:29 wrongType(int, dataApps.s.request.clientId, string), in "size(claims.a)"',
    ]);
    expect(problemsOf(...withClientId('"${claims.a + nobody}"'))).toEqual([
      expect.stringMatching(/^p\.yaml:5:40 .*, in "claims\.a \+ nobody"$/),
    ]);
  });

  it('is printed up to 100 characters', () => {
    const wrong = (length: number): string => `size("${'x'.repeat(length - 8)}")`;
    expect(problemsOf(...withClientId(`'\${${wrong(100)}}'`)).join()).toContain(`in "${wrong(100)}"`);
    expect(problemsOf(...withClientId(`'\${${wrong(101)}}'`)).join()).toContain(`in "${wrong(101).slice(0, 97)}…"`);
  });

  it('names a claim only if it reads no other claim and no variable', () => {
    const claimOf = (clientId: string): string | undefined => {
      const policy = loadLines(
        'version: 1',
        'variables: { v: claims.b }',
        ...withClientId(`"\${${clientId}}"`).slice(1),
      );
      const decision = decide(policy, unverifiedPrincipal({ a: 5, b: 'x' }, 0), 's', 0);
      return decision.kind === 'deny' ? decision.denial.claim : 'permitted';
    };
    expect(claimOf('claims.a')).toBe('a');
    expect(claimOf(String.raw`claims.size() == 9 ? \"x\" : \"\"`)).toBeUndefined();
    expect(claimOf(String.raw`claims.b == \"y\" ? \"z\" : claims.a`)).toBeUndefined();
    expect(claimOf(String.raw`variables.v == \"y\" ? \"z\" : claims.a`)).toBeUndefined();
  });
});
