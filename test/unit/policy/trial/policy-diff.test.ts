import { describe, expect, it } from 'vitest';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';
import type { Policy } from '../../../../src/policy/policy.ts';
import { diffPolicies } from '../../../../src/policy/trial/policy-diff.ts';

const load = (request: string, more = ''): Policy =>
  loadPolicy({
    text: `{ version: 1, dataApps: { s: { default: true, expiresIn: 1h, ${more} request: ${request} } } }`,
    file: 'p.yaml',
    maxLifetimeSeconds: 86_400,
  });

const claims = { org: 'acme', regions: ['north', 'east'] };
const changesOf = (before: Policy, after: Policy) =>
  diffPolicies(before, after, [{ name: 'a user', claims }]).flatMap(({ changes }) =>
    changes.map(({ path, direction }) => `${direction} ${path}`),
  );
const withParams = (params: string): Policy => load(`{ clientId: a, params: { ${params} } }`);

describe('a change of policy', () => {
  it.each<readonly [string, string, string]>([
    ['allowedEmbeds: [a]', 'allowedEmbeds: [b, a]', 'wider params.allowedEmbeds'],
    ['allowedEmbeds: [a, b]', 'allowedEmbeds: [b]', 'narrower params.allowedEmbeds'],
    ['allowedEmbeds: [a]', 'allowedEmbeds: [b]', 'changed params.allowedEmbeds'],
    ['allowedEmbeds: [a]', 'timezone: UTC', 'wider params.allowedEmbeds'],
    ['appFilters: [{ metricId: m, values: { r: x } }]', 'appFilters: []', 'wider params.appFilters[m].values.r'],
    [
      'appFilters: [{ metricId: m, values: { r: x } }]',
      'appFilters: [{ metricId: m, values: { r: [x, y] } }]',
      'wider params.appFilters[m].values.r',
    ],
    [
      'appFilters: [{ metricId: m, values: { r: "${claims.regions}" } }]',
      'appFilters: [{ metricId: m, values: { r: north, q: 1 } }]',
      'narrower params.appFilters[m].values.r',
    ],
    [
      'dashboardAppFilters: [{ dashboardId: d, values: { n: { min: 1, max: 5 } } }]',
      'dashboardAppFilters: [{ dashboardId: d, values: { n: { min: 0, max: 9 } } }]',
      'wider params.dashboardAppFilters[d].values.n',
    ],
    [
      'dashboardAppFilters: [{ dashboardId: d, isShowOnUrl: false, values: { n: x } }]',
      'dashboardAppFilters: [{ dashboardId: d, values: { n: x } }]',
      'wider params.dashboardAppFilters[d].isShowOnUrl',
    ],
    ['timezone: UTC', 'timezone: Europe/Berlin', 'changed params.timezone'],
  ])('from { %s } to { %s } is %s', (before, after, change) => {
    expect(changesOf(withParams(before), withParams(after))).toContain(change);
  });

  it('tells the direction of permissions, life, tenant and decision', () => {
    const permissions = (text: string): Policy => load(`{ clientId: a, permissions: { ${text} } }`);
    const old = permissions('isShowSideBar: false, isDisableMetricCreation: false');
    const now = permissions('isShowSideBar: true, isDisableMetricCreation: true');
    expect(changesOf(old, now)).toEqual([
      'narrower permissions.isDisableMetricCreation',
      'wider permissions.isShowSideBar',
    ]);
    expect(changesOf(load('{ clientId: a }'), load('{ clientId: None }'))).toEqual(['wider clientId']);
    expect(changesOf(load('{ clientId: a }'), load('{ clientId: "${claims.missing}" }'))).toEqual([
      'narrower decision',
    ]);
    expect(changesOf(load('{ clientId: "${claims.missing}" }'), load('{ clientId: a }'))).toEqual(['wider decision']);
    const longer = loadPolicy({
      text: '{ version: 1, dataApps: { s: { default: true, expiresIn: 2h, request: { clientId: a } } } }',
      file: 'p.yaml',
      maxLifetimeSeconds: 86_400,
    });
    expect(changesOf(load('{ clientId: a }'), longer)).toEqual(['wider expiryTime']);
  });

  it('is nothing where both give the same', () => {
    expect(
      diffPolicies(withParams('allowedEmbeds: [a, b]'), withParams('allowedEmbeds: [b, a]'), [{ name: 'x', claims }]),
    ).toEqual([]);
  });
});
