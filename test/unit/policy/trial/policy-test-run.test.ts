import { describe, expect, it } from 'vitest';
import { coveredPercent } from '../../../../src/policy/trial/coverage.ts';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';
import { loadPolicyTests } from '../../../../src/policy/trial/policy-test-document.ts';
import { coverageLines, resultLines } from '../../../../src/policy/trial/policy-test-report.ts';
import { runPolicyTests, type PolicyTestRun } from '../../../../src/policy/trial/policy-test-run.ts';
import { nameSentence, sentenceOf } from '../../../support/sentences/name-sentence.ts';

const policyText = `
version: 1
variables:
  isAdmin: claims.role == "admin"
dataApps:
  sales:
    default: true
    validations:
      - expression: claims.verified == true
        message: Verify first.
    expiresIn: 1h
    withinAccessToken: true
    request:
      clientId: \${claims.org}
      params:
        allowedEmbeds: [overview]
        hideDashboardFilters: '\${variables.isAdmin ? [] : ["cost"]}'
        appFilters:
          - when: "!variables.isAdmin"
            metricId: revenue
            values: { region: "\${claims.region}" }
  finance:
    when: claims.org == "acme"
    expiresIn: 1h
    request: { clientId: "\${claims.org}", params: { allowedEmbeds: [finance] } }
`;

const policy = loadPolicy({ text: policyText, file: 'policy.yaml', maxLifetimeSeconds: 86_400 });

const body = (changes: Record<string, unknown> = {}) => ({
  clientId: 'acme',
  dataAppName: 'sales',
  params: {
    allowedEmbeds: ['overview'],
    hideDashboardFilters: ['cost'],
    appFilters: [{ metricId: 'revenue', values: { region: 'north' } }],
  },
  expiryTime: 3_600_000,
  ...changes,
});

const claims = { org: 'acme', role: 'member', region: 'north', verified: true };

function run(...tests: readonly Record<string, unknown>[]): PolicyTestRun {
  const text = JSON.stringify({ claims, tests: tests.map((test) => ({ name: 'it', ...test })) });
  return runPolicyTests(policy, loadPolicyTests({ text, file: 'a.policy-test.yaml' }).tests);
}

const lines = (test: Record<string, unknown>): readonly string[] => run(test).results.flatMap(resultLines);

describe('a policy test passes', () => {
  it('if the whole body is as expected', () => {
    const { results, failed } = run({ expect: { request: body() } });
    expect(failed).toBe(0);
    expect(results[0]).toMatchObject({ passed: true, differences: [], outcome: { kind: 'request', body: body() } });
    expect(lines({ expect: { request: body() } })).toEqual(['✓ it']);
  });

  it.each([
    ['denied'],
    [{ denied: true }],
    [{ denied: 'validation_refused' }],
    [{ denied: { code: 'ACCESS_DENIED', reason: 'validation_refused', message: 'Verify first.' } }],
  ])('if the refusal is as expected: %j', (expect_) => {
    const test = { claims: { verified: false }, expect: expect_ };
    expect(run(test).failed).toBe(0);
    expect(lines(test)).toEqual(['✓ it']);
  });

  it('on every day, because its time is iat', () => {
    const iat = 1_000_000_000;
    const { results } = run({ claims: { iat, exp: iat + 90 }, expect: { request: body({ expiryTime: 90_000 }) } });
    expect(results[0]?.passed).toBe(true);
    expect(run({ claims: { exp: iat }, expect: { request: body() } }).failed).toBe(0);
    expect(run({ claims: { iat, exp: iat }, expect: { denied: 'access_token_ends_too_soon' } }).failed).toBe(0);
  });
});

describe('a policy test fails', () => {
  it('if a value differs, with the expression of that value', () => {
    const params = { ...body().params, hideDashboardFilters: [] };
    expect(lines({ expect: { request: body({ params }) } })).toEqual([
      expect.stringMatching(/^✗ it {2}a\.policy-test\.yaml:1:\d+$/),
      '    params.hideDashboardFilters[0]',
      '      - not expected',
      '      + "cost"',
      expect.stringMatching(/^ {8}from \$\{variables\.isAdmin \? \[\] : \["cost"\]\} at policy\.yaml:17:\d+$/),
    ]);
  });

  it('if an element of a literal list or a filter differs, with its source', () => {
    const changed = {
      allowedEmbeds: ['other'],
      appFilters: [{ metricId: 'revenue', values: { region: 'south', q: 1 } }],
    };
    expect(lines({ expect: { request: body({ params: { ...body().params, ...changed } }) } }).slice(1)).toEqual([
      '    params.allowedEmbeds[0]',
      '      - "other"',
      '      + "overview"',
      '    params.appFilters[0].values.region',
      '      - "south"',
      '      + "north"',
      '        from ${claims.region} at policy.yaml:21:31',
      '    params.appFilters[0].values.q',
      '      - 1',
      '      + absent',
    ]);
  });

  it.each([
    ['an additional member', { datasourceName: 'x' }],
    ['a missing member', { expiryTime: undefined }],
    ['a string in place of a number', { expiryTime: '3600000' }],
    ['another data app', { dataAppName: 'Sales' }],
  ])('if the body has %s', (_title, changes) => {
    const { failed, results } = run({ expect: { request: body(changes) } });
    expect(failed).toBe(1);
    expect(results[0]?.differences).toHaveLength(1);
  });

  it('if a request is permitted instead of refused, with its body', () => {
    const { params, ...others } = body();
    const sent = { dataAppName: others.dataAppName, clientId: others.clientId, params, expiryTime: others.expiryTime };
    const shown = lines({ expect: 'denied' });
    expect(shown[1]).toBe(`    ${sentenceOf('refusalExpected')}`);
    expect(JSON.parse(shown.slice(2).join(''))).toEqual(sent);
    expect(shown.slice(2, 5)).toEqual(['    {', '      "clientId": "acme",', '      "dataAppName": "sales",']);
  });

  it('if a request is refused instead of permitted, with the reason', () => {
    expect(lines({ claims: { verified: false }, expect: { request: body() } }).slice(1)).toEqual([
      '    expected a request, but it was',
      `    refused: validation_refused (${sentenceOf('validationNotTrue', 'Verify first.')})`,
      '      at policy.yaml:9:21',
      '      message "Verify first."',
    ]);
  });

  it.each([
    ['reason', 'client_id_refused', 'validation_refused'],
    ['code', 'DATA_APP_NOT_ALLOWED', 'ACCESS_DENIED'],
    ['message', 'Go away.', 'Verify first.'],
  ])('if the refusal has another %s', (key, expected, actual) => {
    expect(lines({ claims: { verified: false }, expect: { denied: { [key]: expected } } }).slice(1, 4)).toEqual([
      `    ${key}`,
      `      - "${expected}"`,
      `      + "${actual}"`,
    ]);
  });

  it('if the refusal names no claim but the test expects one', () => {
    const [, , , actual] = lines({ claims: { verified: false }, expect: { denied: { claim: 'verified' } } });
    expect(actual).toBe('      + absent');
  });
});

describe('coverage', () => {
  const admin = { claims: { role: 'admin' }, expect: { denied: true } };
  const member = { expect: { request: body() } };
  const refused = { claims: { verified: false }, expect: 'denied' };
  const finance = { dataApp: 'finance', expect: 'denied' };
  const otherFinance = { ...finance, claims: { org: 'globex' } };

  it('is complete if every rule had both results and every data app was permitted', () => {
    const { coverage } = run(admin, member, refused, finance, otherFinance);
    expect(coverage).toEqual({ total: 10, covered: 10, gaps: [] });
    expect(coveredPercent(coverage)).toBe(100);
    expect(coverageLines(coverage)).toEqual(['Coverage 100 % (10 of 10 outcomes)']);
  });

  it.each([
    [
      'a when that was never false',
      [member, refused, finance, otherFinance],
      [
        'policy.yaml:17:34 conditionNever(true, variables.isAdmin)',
        'policy.yaml:19:19 entryNeverLeftOut(!variables.isAdmin)',
      ],
    ],
    [
      'a when that was never true',
      [admin, refused, finance, otherFinance],
      [
        'policy.yaml:17:34 conditionNever(false, variables.isAdmin)',
        'policy.yaml:19:19 entryNeverSent(!variables.isAdmin)',
      ],
    ],
    [
      'a validation that never refused',
      [admin, member, finance, otherFinance],
      ['policy.yaml:9:21 validationNeverRefused(claims.verified == true)'],
    ],
    [
      'a data app that was never denied',
      [admin, member, refused, finance],
      ['policy.yaml:23:11 dataAppAlwaysAvailable(claims.org == "acme")'],
    ],
    [
      'a data app that was never permitted',
      [admin, member, refused, otherFinance],
      ['policy.yaml:23:11 dataAppNeverAvailable(claims.org == "acme")', 'policy.yaml:22:3 dataAppNeverOpened(finance)'],
    ],
  ])('reports %s, with its position', (_title, tests, gaps) => {
    const { coverage } = run(...tests);
    expect(coverage.gaps.map(({ position, problem }) => `${position} ${nameSentence(problem)}`)).toEqual(gaps);
    expect(coverage).toMatchObject({ total: 10, covered: 10 - gaps.length });
  });

  it('does not include a rule whose expression failed', () => {
    const { coverage } = run(admin, member, { without: ['verified'], expect: 'denied' }, finance, otherFinance);
    expect(coverage.gaps.map(({ problem }) => nameSentence(problem))).toEqual([
      'validationNeverRefused(claims.verified == true)',
    ]);
  });

  it('is never rounded up to 100 %', () => {
    expect(coveredPercent({ total: 1000, covered: 999, gaps: [] })).toBe(99);
    expect(coveredPercent({ total: 0, covered: 0, gaps: [] })).toBe(100);
  });
});
