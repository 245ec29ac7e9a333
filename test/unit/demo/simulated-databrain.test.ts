// The simulated Databrain refuses as the vendor does: every documented code with its status, keys, limit and expiry.
import { afterEach, describe, expect, it } from 'vitest';
import {
  startSimulatedDatabrain,
  type SimulatedDatabrain,
  type SimulatedDatabrainOptions,
} from '../../../demo/databrain/start-simulated-databrain.ts';
import { nameSentence, sentenceOf } from '../../support/sentences/name-sentence.ts';

const key = '7d1f3a52-6c1e-4b0e-9b52-0c6f5b1c9a10';
const otherKey = 'e4a7c1de-08a0-4f5c-a7c8-5d8a2f7b6c21';
const unknownKey = '00000000-0000-4000-8000-000000000000';
const started: SimulatedDatabrain[] = [];

async function start(options: Partial<SimulatedDatabrainOptions> = {}): Promise<SimulatedDatabrain> {
  const databrain = await startSimulatedDatabrain({ apiKeys: { sales: key, 'Other App': otherKey }, ...options });
  started.push(databrain);
  return databrain;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((databrain) => databrain.close()));
});

interface Reply {
  readonly status: number;
  readonly body: { readonly token?: string; readonly key?: string; readonly error?: { code: string; message: string } };
}

async function post(url: string, path: string, body: unknown, headers: Record<string, string>): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}

const create = (
  { url }: SimulatedDatabrain,
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${key}` },
): Promise<Reply> => post(url, '/api/v2/guest-token/create', body, headers);

const rotate = ({ url }: SimulatedDatabrain, body: unknown): Promise<Reply> =>
  post(url, '/api/v2/data-app/rotate-api', body, { authorization: `Bearer ${key}` });

const open = ({ url }: SimulatedDatabrain, token: string | undefined, embedId = 'sales-overview'): Promise<Response> =>
  fetch(`${url}/simulated/dashboards/${embedId}`, { headers: { authorization: `Bearer ${token ?? ''}` } });

const plain = { clientId: 'acme', dataAppName: 'sales' };
const full = {
  ...plain,
  params: {
    appFilters: [
      { metricId: 'revenue', values: { country: ['Germany'], paid_orders: true, revenue: 5, product: 'Anvils' } },
      { metricId: 'orders', values: { country: { sql: 'select 1', columnName: 'country' } } },
    ],
    dashboardAppFilters: [
      {
        dashboardId: 'overview',
        isShowOnUrl: false,
        values: {
          region: 'emea',
          country: ['Germany'],
          date: { startDate: '2026-01-01', endDate: '2026-12-31' },
          revenue: { min: 0, max: 10000 },
          product: { sql: 'select 1', columnName: 'product' },
        },
      },
    ],
    hideDashboardFilters: ['cost'],
    userIdentifier: 'ada',
    allowedEmbeds: ['sales-overview'],
    timezone: 'Europe/Berlin',
    rlsSettings: [{ metricId: 'revenue', values: { region: 'emea' } }],
  },
  permissions: { isEnableArchiveMetrics: false, isShowSideBar: true, isDisableMetricCreation: true },
  expiryTime: 60_000,
};
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('a guest-token request', () => {
  it.each([
    ['with the two required fields', plain],
    ['with every documented field', full],
    ['without a tenant', { ...plain, clientId: 'None' }],
  ])('%s returns a UUID', async (_title, body) => {
    const databrain = await start();
    const answer = await create(databrain, body);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['token']);
    expect(answer.body.token).toMatch(uuid);
    expect(databrain.requests).toHaveLength(1);
    expect(databrain.requests[0]).toMatchObject({ body, dataAppOfKey: 'sales', status: 200, token: answer.body.token });
  });

  const params = (value: object): object => ({ ...plain, params: value });
  const dashboardFilter = (value: object): object => params({ dashboardAppFilters: [value] });
  const appFilter = (value: object): object => params({ appFilters: [value] });

  it.each<[title: string, body: unknown, status: number, code: string, message: string]>([
    ['that is not JSON', '{', 400, 'INVALID_REQUEST_BODY', 'fieldNotObject(value)'],
    ['that is a list', [], 400, 'INVALID_REQUEST_BODY', 'fieldNotObject(value)'],
    ['with an unknown field', { ...plain, x: 1 }, 400, 'INVALID_REQUEST_BODY', 'fieldNotAllowed(x)'],
    ['with an unknown parameter', params({ x: 1 }), 400, 'INVALID_REQUEST_BODY', 'fieldNotAllowed(params.x)'],
    ['without clientId', { dataAppName: 'sales' }, 400, 'CLIENT_ID_ERROR', 'fieldRequired(clientId)'],
    ['with a number as clientId', { ...plain, clientId: 7 }, 400, 'CLIENT_ID_ERROR', 'fieldNotString(clientId)'],
    ['with a blank clientId', { ...plain, clientId: ' ' }, 400, 'CLIENT_ID_ERROR', 'fieldEmpty(clientId)'],
    ['without a data app', { clientId: 'a' }, 400, 'INVALID_REQUEST_BODY', 'fieldRequired(dataAppName)'],
    ['for an unknown data app', { ...plain, dataAppName: 'x' }, 404, 'DATA_APP_ID_ERROR', 'dataAppUnknown'],
    [
      'for the data app of another key',
      { ...plain, dataAppName: 'Other App' },
      401,
      'AUTHENTICATION_ERROR',
      'keyOfOtherApp',
    ],
    [
      'with an unknown permission',
      { ...plain, permissions: { isRoot: true } },
      403,
      'INVALID_PERMISSIONS',
      'fieldNotAllowed(permissions.isRoot)',
    ],
    [
      'with a permission that is not a boolean',
      { ...plain, permissions: { isShowSideBar: 'yes' } },
      403,
      'INVALID_PERMISSIONS',
      'fieldNotBoolean(permissions.isShowSideBar)',
    ],
    [
      'with an unknown key in a dashboard filter',
      dashboardFilter({ dashboardId: 'overview', values: {}, x: 1 }),
      400,
      'DASHBOARD_PARAM_ERROR',
      'fieldNotAllowed(params.dashboardAppFilters[0].x)',
    ],
    [
      'with a boolean in a dashboard filter',
      dashboardFilter({ dashboardId: 'overview', values: { paid: true } }),
      400,
      'DASHBOARD_PARAM_ERROR',
      'fieldWrongType(params.dashboardAppFilters[0].values.paid)',
    ],
    [
      'with half a date range',
      dashboardFilter({ dashboardId: 'overview', values: { date: { startDate: '2026-01-01' } } }),
      400,
      'DASHBOARD_PARAM_ERROR',
      'fieldWrongType(params.dashboardAppFilters[0].values.date)',
    ],
    [
      'with isShowOnUrl as a string',
      dashboardFilter({ dashboardId: 'overview', values: {}, isShowOnUrl: 'no' }),
      400,
      'DASHBOARD_PARAM_ERROR',
      'fieldNotBoolean(params.dashboardAppFilters[0].isShowOnUrl)',
    ],
    [
      'with an unknown dashboard id',
      dashboardFilter({ dashboardId: 'x', values: {} }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'idUnknown(params.dashboardAppFilters[0].dashboardId)',
    ],
    [
      'with an embed id for a dashboard id',
      dashboardFilter({ dashboardId: 'sales-overview', values: {} }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'idUnknown(params.dashboardAppFilters[0].dashboardId)',
    ],
    [
      'with a dashboard id for an embed id',
      params({ allowedEmbeds: ['overview'] }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'embedUnknown(params.allowedEmbeds)',
    ],
    [
      'with an unknown metric in appFilters',
      appFilter({ metricId: 'x', values: {} }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'idUnknown(params.appFilters[0].metricId)',
    ],
    [
      'with a filter without values',
      appFilter({ metricId: 'revenue' }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'fieldNotObject(params.appFilters[0].values)',
    ],
    [
      'with null as a filter value',
      appFilter({ metricId: 'revenue', values: { country: null } }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'fieldWrongType(params.appFilters[0].values.country)',
    ],
    [
      'with numbers in a multi-select',
      appFilter({ metricId: 'revenue', values: { year: [2026] } }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'fieldWrongType(params.appFilters[0].values.year)',
    ],
    [
      'with an unknown metric in rlsSettings',
      params({ rlsSettings: [{ metricId: 'x', values: {} }] }),
      400,
      'RLS_SETTINGS_PARAM_ERROR',
      'idUnknown(params.rlsSettings[0].metricId)',
    ],
    [
      'with appFilters that are not a list',
      params({ appFilters: {} }),
      400,
      'APP_FILTER_PARAM_ERROR',
      'fieldNotArray(params.appFilters)',
    ],
    [
      'with an unknown time zone',
      params({ timezone: 'Mars/Olympus' }),
      400,
      'INVALID_REQUEST_BODY',
      'fieldNotTimeZone(params.timezone)',
    ],
    [
      'with a string in hideDashboardFilters',
      params({ hideDashboardFilters: 'cost' }),
      400,
      'INVALID_REQUEST_BODY',
      'fieldNotStrings(params.hideDashboardFilters)',
    ],
    [
      'with a number as userIdentifier',
      params({ userIdentifier: 7 }),
      400,
      'INVALID_REQUEST_BODY',
      'fieldNotString(params.userIdentifier)',
    ],
    [
      'with expiryTime as a string',
      { ...plain, expiryTime: '1h' },
      400,
      'INVALID_REQUEST_BODY',
      'fieldNotNumber(expiryTime)',
    ],
    ['with expiryTime zero', { ...plain, expiryTime: 0 }, 400, 'INVALID_REQUEST_BODY', 'fieldNotPositive(expiryTime)'],
  ])('%s is refused', async (_title, body, status, code, message) => {
    const databrain = await start();
    const answer = await create(databrain, body);
    expect(answer).toMatchObject({ status, body: { error: { code, status } } });
    expect(nameSentence(answer.body.error?.message ?? '')).toBe(message);
    expect(databrain.requests[0]).toMatchObject({ status, code });
    expect(databrain.requests[0]).not.toHaveProperty('token');
  });

  it('may contain any id if ids are not known', async () => {
    const databrain = await start({ embeds: 'any' });
    const answer = await create(databrain, {
      ...plain,
      params: { allowedEmbeds: ['x'], appFilters: [{ metricId: 'y', values: { a: 1 } }] },
    });
    expect(answer.status).toBe(200);
  });

  it('with a parameter that is newer than this version is refused', async () => {
    const databrain = await start({ unknownParams: ['allowedEmbeds'] });
    const { status, body } = await create(databrain, full);
    expect([status, nameSentence(body.error?.message ?? '')]).toEqual([400, 'fieldNotAllowed(params.allowedEmbeds)']);
  });

  it('must name an existing data source if the data app has several', async () => {
    const databrain = await start({ datasources: { sales: ['warehouse', 'lake'] } });
    expect(nameSentence((await create(databrain, plain)).body.error?.message ?? '')).toBe(
      'fieldRequired(datasourceName)',
    );
    const unknown = await create(databrain, { ...plain, datasourceName: 'x' });
    expect([unknown.status, unknown.body.error?.code]).toEqual([404, 'WORKSPACE_ID_ERROR']);
    expect((await create(databrain, { ...plain, datasourceName: 'lake' })).status).toBe(200);
  });

  it.each<[title: string, headers: Record<string, string>, status: number]>([
    ['without an API key', {}, 400],
    ['with a key that is not a UUID', { authorization: 'Bearer dbn_live_x' }, 400],
    ['with an unknown key', { authorization: `Bearer ${unknownKey}` }, 401],
  ])('%s is refused', async (_title, headers, status) => {
    const databrain = await start();
    const answer = await create(databrain, plain, headers);
    expect([answer.status, answer.body.error?.code]).toEqual([status, 'AUTHENTICATION_ERROR']);
    expect(databrain.requests[0]).not.toHaveProperty('dataAppOfKey');
  });

  it('is refused by the script of the test, exactly as often as requested', async () => {
    const databrain = await start();
    databrain.refuseNext('INTERNAL_SERVER_ERROR', 2);
    const statuses = [await create(databrain, plain), await create(databrain, plain), await create(databrain, plain)];
    expect(statuses.map(({ status }) => status)).toEqual([500, 500, 200]);
  });

  it('is recorded without the values of credentials', async () => {
    const databrain = await start();
    await create(databrain, plain);
    expect(databrain.requests[0]?.headerNames).toContain('authorization');
    expect(JSON.stringify(databrain.requests)).not.toContain(key);
  });
});

describe('the rate limit', () => {
  it('is 500 per address and window by default', async () => {
    const databrain = await start();
    databrain.refuseNext('CLIENT_ID_ERROR', 500);
    for (let sent = 0; sent < 500; sent += 50)
      await Promise.all(Array.from({ length: 50 }, () => create(databrain, plain)));
    const answer = await create(databrain, plain);
    expect([answer.status, answer.body.error?.code]).toEqual([429, 'RATE_LIMIT_EXCEEDED']);
    expect(databrain.requests.filter(({ status }) => status === 429)).toHaveLength(1);
  });

  it('uses X-Client-IP, then X-Forwarded-For, then the peer, and starts again after its window', async () => {
    let now = 1_000_000;
    const databrain = await start({ rateLimit: { max: 1, windowMs: 1000 }, now: () => now });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await create(databrain, plain, { authorization: `Bearer ${key}`, ...headers })).status;
    expect(await status({ 'x-client-ip': '192.0.2.1', 'x-forwarded-for': '192.0.2.9' })).toBe(200);
    expect(await status({ 'x-client-ip': '192.0.2.1', 'x-forwarded-for': '192.0.2.8' })).toBe(429);
    expect(await status({ 'x-forwarded-for': '192.0.2.2, 192.0.2.1' })).toBe(200);
    expect(await status({ 'x-forwarded-for': '192.0.2.2' })).toBe(429);
    expect(await status({})).toBe(200);
    expect(await status({})).toBe(429);
    now += 1000;
    expect(await status({})).toBe(200);
  });

  it('can be disabled', async () => {
    const databrain = await start({ rateLimit: 'off' });
    const statuses = await Promise.all(
      Array.from({ length: 501 }, async () => (await create(databrain, plain)).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

describe('rotating an API key', () => {
  it('returns a new key, and the old one works until the end of its grace period', async () => {
    let now = 1_000_000;
    const databrain = await start({ now: () => now });
    const { body } = await rotate(databrain, { expireAt: 60 });
    expect(body.key).toMatch(uuid);
    now += 59_999;
    expect((await create(databrain, plain)).status).toBe(200);
    now += 1;
    const refused = await create(databrain, plain);
    expect([refused.status, refused.body.error?.code]).toEqual([401, 'EXPIRED_TOKEN']);
    expect((await create(databrain, plain, { authorization: `Bearer ${body.key ?? ''}` })).status).toBe(200);
  });

  it.each([[{}], [{ expireAt: -1 }], [{ expireAt: 'soon' }], [[]]])('is refused with the body %j', async (body) => {
    const databrain = await start();
    const answer = await rotate(databrain, body);
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'INVALID_REQUEST_BODY']);
    expect((await create(databrain, plain)).status).toBe(200);
  });
});

describe('the embeds listing', () => {
  it('contains both ids of each embed, and mints nothing', async () => {
    const databrain = await start({
      embeds: { sales: [{ embedId: 'e1', dashboardId: 'd1', metricIds: [] }] },
      pathPrefix: '/databrain',
    });
    const response = await fetch(`${databrain.url}/api/v2/data-app/embeds`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(await response.json()).toEqual({
      data: [
        { embedId: 'e1', embedMetadata: { dataAppName: 'sales' }, externalDashboard: { externalDashboardId: 'd1' } },
      ],
      error: null,
    });
    expect(databrain.requests[0]).not.toHaveProperty('token');
  });

  it('is refused without a key', async () => {
    const databrain = await start();
    expect((await fetch(`${databrain.url}/api/v2/data-app/embeds`)).status).toBe(400);
  });
});

describe('opening a dashboard', () => {
  it('returns the rows of the client, narrowed by the filters of the token', async () => {
    const databrain = await start();
    const shown = async (body: object): Promise<unknown> => {
      const { body: answer } = await create(databrain, body);
      const view = (await (await open(databrain, answer.token)).json()) as {
        metrics: { metricId: string; rows: { client_id: string; country: string }[] }[];
      };
      return view.metrics.map(({ metricId, rows }) => [
        metricId,
        [...new Set(rows.map(({ client_id, country }) => `${client_id}/${country}`))].join(' '),
      ]);
    };
    const everyAcme = 'acme/Germany acme/France acme/Canada acme/United States acme/Japan';
    expect(await shown(plain)).toEqual([
      ['revenue', everyAcme],
      ['orders', everyAcme],
    ]);
    expect(
      await shown({
        ...plain,
        clientId: 'globex',
        params: { appFilters: [{ metricId: 'revenue', values: { region: 'emea' } }] },
      }),
    ).toEqual([
      ['revenue', 'globex/Italy globex/Spain'],
      ['orders', 'globex/Italy globex/Spain globex/Brazil globex/Mexico globex/Singapore'],
    ]);
    expect(
      await shown({
        ...plain,
        params: {
          dashboardAppFilters: [
            {
              dashboardId: 'overview',
              values: {
                country: ['Germany', 'France', 'Japan'],
                date: { startDate: '2026-08-01', endDate: '2026-08-31' },
                revenue: { min: 0, max: 5000 },
              },
            },
            { dashboardId: 'finance', values: { country: 'Canada' } },
          ],
        },
      }),
    ).toEqual([
      ['revenue', 'acme/Japan'],
      ['orders', 'acme/Japan'],
    ]);
    expect(await shown({ ...plain, clientId: 'nobody' })).toEqual([
      ['revenue', ''],
      ['orders', ''],
    ]);
  });

  it.each([
    ['a column that does not exist', { x: 'y' }],
    ['SQL, which the simulation does not run', { country: { sql: 'select 1', columnName: 'country' } }],
  ])('returns no rows if a filter contains %s', async (_title, values) => {
    const databrain = await start();
    const { body } = await create(databrain, { ...plain, params: { appFilters: [{ metricId: 'revenue', values }] } });
    const view = (await (await open(databrain, body.token)).json()) as {
      metrics: { total: number; rows: unknown[] }[];
    };
    expect(view.metrics[0]).toMatchObject({ total: 0, rows: [] });
  });

  it('is refused for an unknown token, an expired one, and one for other embeds', async () => {
    let now = 1_000_000;
    const databrain = await start({ now: () => now });
    const { body } = await create(databrain, full);
    expect((await open(databrain, unknownKey)).status).toBe(401);
    expect((await open(databrain, body.token, 'finance-report')).status).toBe(403);
    expect((await open(databrain, body.token)).status).toBe(200);
    now += 60_000;
    const expired = await open(databrain, body.token);
    expect([expired.status, await expired.json()]).toEqual([401, { reason: sentenceOf('guestTokenExpired') }]);
  });

  it('always works with a token that was created without an expiry', async () => {
    let now = 1_000_000;
    const databrain = await start({ now: () => now });
    const { body } = await create(databrain, plain);
    now += 10 * 365 * 86_400_000;
    expect((await open(databrain, body.token)).status).toBe(200);
  });

  it('answers 404 for an unknown embed', async () => {
    const databrain = await start();
    const { body } = await create(databrain, plain);
    expect((await open(databrain, body.token, 'nowhere')).status).toBe(404);
  });
});

it('answers 200 with HTML at any other address, like Databrain at a wrong base URL', async () => {
  const { url } = await start({ pathPrefix: '/databrain' });
  const response = await fetch(new URL('/api/v2/guest-token/create', url), { method: 'POST', body: '{}' });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
});

it('removes the oldest requests and tokens above the configured numbers', async () => {
  const databrain = await start({ keep: 2 });
  const first = await create(databrain, plain);
  await create(databrain, plain);
  const last = await create(databrain, plain);
  expect(databrain.requests).toHaveLength(2);
  expect((await open(databrain, first.body.token)).status).toBe(401);
  expect((await open(databrain, last.body.token)).status).toBe(200);
});
