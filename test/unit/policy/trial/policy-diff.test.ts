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

  const filter = (list: string, values: string, more = ''): string =>
    `${list}: [{ ${list === 'dashboardAppFilters' ? 'dashboardId' : 'metricId'}: m, ${more} values: ${values} }]`;

  // In each case a wrong comparison could report a wider policy as something else, or the opposite.
  it.each<readonly [string, string, string, readonly string[]]>([
    [
      'a list in place of its only value',
      'appFilters: [{ metricId: m, values: { r: x } }]',
      'appFilters: [{ metricId: m, values: { r: [x] } }]',
      ['changed params.appFilters[m].values.r'],
    ],
    ['the order of values', filter('appFilters', '{ r: [x, y] }'), filter('appFilters', '{ r: [y, x] }'), []],
    ['a repeated value', filter('appFilters', '{ r: [x, y] }'), filter('appFilters', '{ r: [x, y, x] }'), []],
    [
      'another value',
      filter('appFilters', '{ r: x }'),
      filter('appFilters', '{ r: y }'),
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'a flag with the opposite value',
      filter('appFilters', '{ r: true }'),
      filter('appFilters', '{ r: false }'),
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'a string in place of a number',
      filter('appFilters', '{ r: 1 }'),
      filter('appFilters', '{ r: "1" }'),
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'SQL in place of values',
      filter('appFilters', '{ r: [x] }'),
      filter('appFilters', '{ r: { sql: "1=1", columnName: r } }'),
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'changed SQL',
      filter('appFilters', '{ r: { sql: "a", columnName: r } }'),
      filter('appFilters', '{ r: { sql: "1=1", columnName: r } }'),
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'the removal of a column that is named like a flag',
      filter('appFilters', '{ isShowOnUrl: x, r: y }'),
      filter('appFilters', '{ r: y }'),
      ['wider params.appFilters[m].values.isShowOnUrl'],
    ],
    [
      'a filter in another list',
      filter('appFilters', '{ r: x }'),
      filter('rlsSettings', '{ r: x }'),
      ['wider params.appFilters[m].values.r', 'narrower params.rlsSettings[m].values.r'],
    ],
    [
      'a second entry with the same id',
      filter('appFilters', '{ r: x }'),
      'appFilters: [{ metricId: m, values: { r: x } }, { metricId: m, values: { r: [x, y] } }]',
      ['changed params.appFilters[m].values.r'],
    ],
    [
      'a moved range',
      filter('dashboardAppFilters', '{ n: { min: 1, max: 5 } }'),
      filter('dashboardAppFilters', '{ n: { min: 3, max: 9 } }'),
      ['changed params.dashboardAppFilters[m].values.n'],
    ],
    [
      'a range of numbers, which are not compared as strings',
      filter('dashboardAppFilters', '{ n: { min: 9, max: 80 } }'),
      filter('dashboardAppFilters', '{ n: { min: 10, max: 70 } }'),
      ['narrower params.dashboardAppFilters[m].values.n'],
    ],
    [
      'more days',
      filter('dashboardAppFilters', '{ n: { startDate: "2026-02-01", endDate: "2026-02-28" } }'),
      filter('dashboardAppFilters', '{ n: { startDate: "2025-02-01", endDate: "2026-02-28" } }'),
      ['wider params.dashboardAppFilters[m].values.n'],
    ],
    [
      'numbers in place of dates',
      filter('dashboardAppFilters', '{ n: { startDate: "2026-02-01", endDate: "2026-02-28" } }'),
      filter('dashboardAppFilters', '{ n: { min: 1, max: 5 } }'),
      ['changed params.dashboardAppFilters[m].values.n'],
    ],
    [
      'a string in place of a range',
      filter('dashboardAppFilters', '{ n: { min: 1, max: 5 } }'),
      filter('dashboardAppFilters', '{ n: x }'),
      ['changed params.dashboardAppFilters[m].values.n'],
    ],
    [
      'a new entry that is visible',
      '',
      filter('dashboardAppFilters', '{ n: x }'),
      ['narrower params.dashboardAppFilters[m].values.n'],
    ],
    [
      'the removal of a hidden entry',
      filter('dashboardAppFilters', '{ n: x }', 'isShowOnUrl: false,'),
      '',
      ['wider params.dashboardAppFilters[m].values.n'],
    ],
    ['a first list of embeds', '', 'allowedEmbeds: [a]', ['narrower params.allowedEmbeds']],
    [
      'a control that the user gets',
      'hideDashboardFilters: [a, b]',
      'hideDashboardFilters: [b]',
      ['wider params.hideDashboardFilters'],
    ],
    ['hidden controls', '', 'hideDashboardFilters: [a]', ['narrower params.hideDashboardFilters']],
    ['the order of hidden controls', 'hideDashboardFilters: [a, b]', 'hideDashboardFilters: [b, a]', []],
    ['the private metrics of a user', '', 'userIdentifier: u1', ['wider params.userIdentifier']],
    ['the removal of private metrics', 'userIdentifier: u1', '', ['narrower params.userIdentifier']],
    ['another user', 'userIdentifier: u1', 'userIdentifier: u2', ['changed params.userIdentifier']],
  ])('by %s is reported', (_title, before, after, changes) => {
    expect(changesOf(withParams(before), withParams(after))).toEqual(changes);
  });

  it('of the data source, or of a permission in only one policy, has no direction', () => {
    const [old, now] = ['a', 'b'].map((name) => load(`{ clientId: x, datasourceName: ${name} }`));
    expect(old && now && changesOf(old, now)).toEqual(['changed datasourceName']);
    for (const given of [true, false]) {
      const named = load(`{ clientId: x, permissions: { isShowSideBar: ${given} } }`);
      expect(changesOf(load('{ clientId: x }'), named)).toEqual(['changed permissions.isShowSideBar']);
      expect(changesOf(named, load('{ clientId: x }'))).toEqual(['changed permissions.isShowSideBar']);
    }
  });

  it('is wider without withinAccessToken, even if the sample has a long access token', () => {
    const [bound, free] = ['withinAccessToken: true,', ''].map((more) => load('{ clientId: x }', more));
    expect(free && bound && changesOf(bound, free)).toEqual(['wider withinAccessToken']);
    expect(free && bound && changesOf(free, bound)).toEqual(['narrower withinAccessToken']);
  });

  it('is found for data apps in only one policy, and for requests without a data app', () => {
    const apps = (text: string): Policy =>
      loadPolicy({ text: `{ version: 1, dataApps: { ${text} } }`, file: 'p.yaml', maxLifetimeSeconds: 86_400 });
    const app = (name: string, isDefault = false): string =>
      `${name}: { default: ${isDefault}, expiresIn: 1h, request: { clientId: a } }`;
    const old = apps(app('one', true));
    expect(changesOf(old, apps(`${app('one', true)}, ${app('two')}`))).toEqual(['wider decision']);
    expect(changesOf(apps(`${app('one', true)}, ${app('two')}`), old)).toEqual(['narrower decision']);
    expect(changesOf(apps(`${app('one', true)}, ${app('two')}`), apps(`${app('one')}, ${app('two', true)}`))).toEqual([
      'changed default',
    ]);
  });

  it('has a direction for permissions, lifetime, tenant and decision', () => {
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

  it('is empty if both policies give the same request', () => {
    expect(
      diffPolicies(withParams('allowedEmbeds: [a, b]'), withParams('allowedEmbeds: [b, a]'), [{ name: 'x', claims }]),
    ).toEqual([]);
  });
});
