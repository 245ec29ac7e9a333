// The last check before a body is sent, which must find a mistake in earlier steps.
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { upstreamBodySchema } from '../../../src/policy/upstream-request.ts';

const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(upstreamBodySchema);

const body = (changes: object = {}): object => ({ clientId: 'a', dataAppName: 'd', expiryTime: 1, ...changes });
const params = (changes: object): object => body({ params: changes });
const metric = (value: unknown): object => params({ appFilters: [{ metricId: 'm', values: { c: value } }] });
const rls = (value: unknown): object => params({ rlsSettings: [{ metricId: 'm', values: { c: value } }] });
const dashboard = (value: unknown): object =>
  params({ dashboardAppFilters: [{ dashboardId: 'd', values: { c: value } }] });

describe('a body is valid', () => {
  it.each([
    body(),
    body({ permissions: {}, datasourceName: 'db' }),
    body({ permissions: { isShowSideBar: true, isEnableArchiveMetrics: false } }),
    params({}),
    params({ userIdentifier: 'u', allowedEmbeds: ['e'], timezone: 'UTC', hideDashboardFilters: ['f'] }),
    params({ appFilters: [], rlsSettings: [], dashboardAppFilters: [], hideDashboardFilters: [] }),
    metric(true),
    metric(0),
    metric('x'),
    metric(['x']),
    metric({ sql: 's', columnName: 'c' }),
    rls('x'),
    dashboard('x'),
    dashboard(['x', 'y']),
    dashboard({ startDate: '2026-01-01', endDate: '2026-12-31' }),
    dashboard({ min: 0, max: 1.5 }),
    dashboard({ sql: 's', columnName: 'c' }),
    params({ dashboardAppFilters: [{ dashboardId: 'd', values: { c: 'x' }, isShowOnUrl: false }] }),
  ])('%j', (value) => {
    expect(validate(value)).toBe(true);
  });
});

describe('a body is invalid', () => {
  it.each([
    null,
    [],
    {},
    { clientId: 'a', dataAppName: 'd' },
    { clientId: 'a', expiryTime: 1 },
    { dataAppName: 'd', expiryTime: 1 },
    body({ clientId: '' }),
    body({ clientId: null }),
    body({ clientId: 5 }),
    body({ dataAppName: '' }),
    body({ expiryTime: 0 }),
    body({ expiryTime: -1 }),
    body({ expiryTime: 1.5 }),
    body({ expiryTime: '1' }),
    body({ expiryTime: null }),
    body({ datasourceName: '' }),
    body({ admin: true }),
    body({ params: null }),
    body({ params: [] }),
    body({ permissions: { isShowSideBar: 'true' } }),
    body({ permissions: { isAdmin: true } }),
    body({ permissions: [] }),
    params({ more: 'x' }),
    params({ userIdentifier: '' }),
    params({ timezone: '' }),
    params({ allowedEmbeds: [] }),
    params({ allowedEmbeds: [''] }),
    params({ allowedEmbeds: 'e' }),
    params({ hideDashboardFilters: [''] }),
    params({ hideDashboardFilters: 'f' }),
    params({ appFilters: {} }),
    params({ appFilters: [{ metricId: 'm', values: {} }] }),
    params({ appFilters: [{ metricId: '', values: { c: 'x' } }] }),
    params({ appFilters: [{ metricId: 'm' }] }),
    params({ appFilters: [{ values: { c: 'x' } }] }),
    params({ appFilters: [{ metricId: 'm', values: { c: 'x' }, when: true }] }),
    params({ appFilters: [{ metricId: 'm', values: { c: 'x' }, isShowOnUrl: true }] }),
    params({ rlsSettings: [{ metricId: 'm', values: {} }] }),
    params({ dashboardAppFilters: [{ dashboardId: 'd', values: {} }] }),
    params({ dashboardAppFilters: [{ dashboardId: '', values: { c: 'x' } }] }),
    params({ dashboardAppFilters: [{ values: { c: 'x' } }] }),
    params({ dashboardAppFilters: [{ dashboardId: 'd', values: { c: 'x' }, isShowOnUrl: 'true' }] }),
    params({ dashboardAppFilters: [{ dashboardId: 'd', values: { c: 'x' }, more: true }] }),
    metric(''),
    metric([]),
    metric(['']),
    metric([1]),
    metric(null),
    metric({}),
    metric({ sql: 's' }),
    metric({ columnName: 'c' }),
    metric({ sql: '', columnName: 'c' }),
    metric({ sql: 's', columnName: 'c', more: 'x' }),
    metric({ min: 0, max: 1 }),
    rls(null),
    rls([]),
    dashboard(true),
    dashboard(5),
    dashboard(''),
    dashboard([]),
    dashboard(null),
    dashboard({ startDate: '2026-01-01' }),
    dashboard({ startDate: '2026-1-1', endDate: '2026-12-31' }),
    dashboard({ startDate: '2026-01-01', endDate: '2026-12-311' }),
    dashboard({ startDate: 'x2026-01-01', endDate: '2026-12-31' }),
    dashboard({ startDate: '2026-01-01', endDate: '2026-12-31', more: 'x' }),
    dashboard({ min: 0 }),
    dashboard({ min: '0', max: 1 }),
    dashboard({ min: 0, max: 1, more: 2 }),
    dashboard({ sql: 's' }),
    dashboard({ min: 0, max: 1, sql: 's', columnName: 'c' }),
  ])('%j', (value) => {
    expect(validate(value)).toBe(false);
  });
});
