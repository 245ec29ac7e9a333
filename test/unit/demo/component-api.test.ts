// The simulated Databrain answers the vendor's component, and enforces the rights of a token although the component's
// calls for rows have no token.
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { readVendorComponent } from '../../../demo/vendor-component.ts';

const key = '7d1f3a52-6c1e-4b0e-9b52-0c6f5b1c9a10';
const started: SimulatedDatabrain[] = [];
let time = 1_000_000;

async function start(): Promise<SimulatedDatabrain> {
  const databrain = await startSimulatedDatabrain({ apiKeys: { sales: key }, now: () => time });
  started.push(databrain);
  return databrain;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ close }) => close()));
});

interface Reply {
  readonly status: number;
  readonly data?: {
    readonly clientId?: string;
    readonly data?: string;
    readonly embeddedMetricData?: { clientId: string };
  };
  readonly error?: { readonly message: string };
}

async function send({ url }: SimulatedDatabrain, path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(`${url}/api/v2${path}`, init);
  return { status: response.status, ...((await response.json()) as object) };
}

async function tokenOf({ url }: SimulatedDatabrain, clientId: string, expiryTime = 60_000): Promise<string> {
  const response = await fetch(`${url}/api/v2/guest-token/create`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, dataAppName: 'sales', params: { allowedEmbeds: ['sales-overview'] }, expiryTime }),
  });
  return ((await response.json()) as { token: string }).token;
}

const open = (databrain: SimulatedDatabrain, token: string, embedId = 'sales-overview'): Promise<Reply> =>
  send(databrain, `/dashboard?dashboardId=${embedId}`, { headers: { 'x-plugin-token': token } });

const rows = (databrain: SimulatedDatabrain, id: string, clientId: unknown): Promise<Reply> =>
  send(databrain, '/metric/query', { method: 'POST', body: JSON.stringify({ id, clientId }) });

describe('the API of the component', () => {
  it('returns each client only its own rows, for a handle that is not the client id', async () => {
    const databrain = await start();
    for (const client of ['acme', 'globex']) {
      const { data } = await open(databrain, await tokenOf(databrain, client));
      expect(data?.clientId).toMatch(/^[0-9a-f-]{36}$/);
      const orders = JSON.parse((await rows(databrain, 'orders', data?.clientId)).data?.data ?? '[]') as {
        company: string;
      }[];
      expect(new Set(orders.map(({ company }) => company))).toEqual(new Set([client]));
    }
    expect(databrain.componentCalls.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/api/v2/dashboard 200',
      '/api/v2/metric/query 200',
      '/api/v2/dashboard 200',
      '/api/v2/metric/query 200',
    ]);
  });

  it.each([
    ['a client instead of a handle', 'orders', 'acme'],
    ['no handle', 'orders', undefined],
    ['an object as handle', 'orders', { length: 36 }],
  ])('returns no rows for %s', async (_title, metric, clientId) => {
    const databrain = await start();
    await open(databrain, await tokenOf(databrain, 'acme'));
    expect(await rows(databrain, metric, clientId)).toMatchObject({ status: 401, error: {} });
  });

  it('returns no rows of a metric of another embed, and opens no other embed', async () => {
    const databrain = await start();
    const token = await tokenOf(databrain, 'acme');
    const { data } = await open(databrain, token);
    expect((await rows(databrain, 'margin', data?.clientId)).status).toBe(403);
    expect((await open(databrain, token, 'finance-report')).status).toBe(403);
    expect((await open(databrain, 'unknown')).status).toBe(401);
    const metric = (id: string): Promise<Reply> =>
      send(databrain, `/dashboard/embeddedMetric?metricId=${id}`, { headers: { 'x-plugin-token': token } });
    expect((await metric('orders')).data?.embeddedMetricData?.clientId).toBe(data?.clientId);
    expect((await metric('margin')).status).toBe(403);
  });

  it('keeps a handle while a token with the same rights is valid', async () => {
    const databrain = await start();
    const { data } = await open(databrain, await tokenOf(databrain, 'acme', 60_000));
    time += 50_000;
    expect((await open(databrain, await tokenOf(databrain, 'acme', 60_000))).data?.clientId).toBe(data?.clientId);
    time += 50_000;
    expect((await rows(databrain, 'orders', data?.clientId)).status).toBe(200);
    expect((await send(databrain, `/metric/layout?id=sales-overview&clientId=${data?.clientId}`)).status).toBe(200);
    time += 50_000;
    expect((await rows(databrain, 'orders', data?.clientId)).status).toBe(401);
    expect((await send(databrain, `/metric/layout?id=sales-overview&clientId=${data?.clientId}`)).status).toBe(401);
  });

  it('accepts browser requests from any page', async () => {
    const { url } = await start();
    const preflight = await fetch(`${url}/api/v2/dashboard`, { method: 'OPTIONS' });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-plugin-token');
  });
});

describe('the component that the demo serves', () => {
  it('contains no other host than the simulated Databrain', () => {
    const served = readVendorComponent('http://127.0.0.1:8090') ?? '';
    // Without a matcher, because a failed one would print six megabytes.
    expect(served.split('http://127.0.0.1:8090')).toHaveLength(3);
    expect(/lambda-url|jsonplaceholder|fonts\.googleapis/.test(served)).toBe(false);
  });
});
