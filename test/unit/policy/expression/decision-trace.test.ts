import { describe, expect, it } from 'vitest';
import { decide } from '../../../../src/policy/decide.ts';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';
import type { DecisionTrace } from '../../../../src/policy/expression/decision-trace.ts';
import { caseTime, principalOf } from '../../../policy/policy-case.ts';
import { sentenceOf } from '../../../support/sentences/name-sentence.ts';

const policy = loadPolicy({
  file: 'p.yaml',
  maxLifetimeSeconds: 86_400,
  text: `version: 1
variables:
  isAdmin: claims.role == "admin"
dataApps:
  sales:
    default: true
    when: has(claims.role)
    validations:
      - expression: claims.ok
        message: No.
    expiresIn: 1h
    request:
      clientId: \${claims.realm.org}
      params:
        hideDashboardFilters: [always, '\${variables.isAdmin ? [] : ["cost", "margin"]}']
        appFilters:
          - when: variables.isAdmin
            metricId: a
            values: { x: 1 }
          - metricId: b
            values: { countries: [AT, "\${claims.c}"], region: "\${claims['https://x/r']}" }
      permissions:
        isShowSideBar: \${variables.isAdmin}
`,
});

function observe(claims: Readonly<Record<string, unknown>>) {
  const events: string[] = [];
  const trace: DecisionTrace = {
    evaluated: (site, outcome) =>
      events.push(
        `${site.path} ${outcome.kind === 'value' ? `= ${JSON.stringify(outcome.value)}` : `failed: ${outcome.problem} (${outcome.claim})`}`,
      ),
    branch: (site, ternary, taken) => events.push(`${site.path} branch ${ternary} ${taken}`),
    placed: (site, path) => events.push(`${site.path} → ${path}`),
    refused: (problem, site) => events.push(`refused ${site?.path}: ${problem}`),
  };
  const decision = decide(policy, principalOf(claims), undefined, caseTime, trace);
  return { events, decision };
}

describe('the trace of a decision', () => {
  it('contains every expression of the file before any decision', () => {
    expect(policy.sites.map(({ id, kind, path, claims, variables }) => [id, kind, path, claims, variables])).toEqual([
      [0, 'variable', 'variables.isAdmin', ['role'], []],
      [1, 'availability', 'when', ['role'], []],
      [2, 'validation', 'validations[0].expression', ['ok'], []],
      [3, 'clientId', 'clientId', ['realm.org'], []],
      [4, 'value', 'params.hideDashboardFilters[1]', [], ['isAdmin']],
      [5, 'when', 'params.appFilters[0].when', [], ['isAdmin']],
      [6, 'filterValue', 'params.appFilters[1].values.countries[1]', ['c'], []],
      [7, 'filterValue', 'params.appFilters[1].values.region', ['https://x/r'], []],
      [8, 'permission', 'permissions.isShowSideBar', [], ['isAdmin']],
    ]);
    expect(policy.sites[4]?.ternaries).toEqual([{ position: 'p.yaml:15:43', condition: 'variables.isAdmin' }]);
    expect(policy.sites[4]?.position).toBe('p.yaml:15:40');
  });

  it('has each value, branch and path in the order of the decision', () => {
    const { events, decision } = observe({
      role: 'user',
      ok: true,
      realm: { org: 'acme' },
      c: ['DE', 'FR'],
      'https://x/r': 'EU',
    });
    expect(decision.kind).toBe('permit');
    expect(events).toEqual([
      'when = true',
      'validations[0].expression = true',
      'clientId = "acme"',
      'clientId → clientId',
      'variables.isAdmin = false',
      'params.hideDashboardFilters[1] branch 0 false',
      'params.hideDashboardFilters[1] = ["cost","margin"]',
      'params.hideDashboardFilters[1] → params.hideDashboardFilters[1]',
      'params.hideDashboardFilters[1] → params.hideDashboardFilters[2]',
      'params.appFilters[0].when = false',
      'params.appFilters[1].values.countries[1] = ["DE","FR"]',
      'params.appFilters[1].values.countries[1] → params.appFilters[0].values.countries[1]',
      'params.appFilters[1].values.countries[1] → params.appFilters[0].values.countries[2]',
      'params.appFilters[1].values.region = "EU"',
      'params.appFilters[1].values.region → params.appFilters[0].values.region',
      'permissions.isShowSideBar = false',
      'permissions.isShowSideBar → permissions.isShowSideBar',
    ]);
  });

  it('has the failure and its reason, without a claim value', () => {
    const { events } = observe({ role: 'user', ok: true, realm: 'very-secret' });
    expect(events.slice(-2)).toEqual([
      'clientId failed: "claims.realm.org" is missing (realm.org)',
      'refused clientId: "claims.realm.org" is missing',
    ]);
    expect(events.join()).not.toContain('very-secret');
  });

  it('has the rule that refused a value, without the value', () => {
    const { events } = observe({ role: 'user', ok: true, realm: { org: 'no good' } });
    expect(events.at(-1)).toBe('refused clientId: clientId does not match ^[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,127}$');
  });

  it('records that the data app is not available to the user', () => {
    expect(observe({}).events).toEqual(['when = false', `refused when: ${sentenceOf('dataAppOfOthers', 'sales')}`]);
  });

  it('does not change the decision', () => {
    const claims = { role: 'admin', ok: true, realm: { org: 'acme' }, c: 'DE', 'https://x/r': 'EU' };
    expect(observe(claims).decision).toEqual(decide(policy, principalOf(claims), undefined, caseTime));
  });
});
