// The first policy for a real data app, created from Databrain's list of embeds, also an unusual one.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { listEmbeds, toPolicy } from '../../../demo/real-policy.ts';
import { loadPolicy } from '../../../src/policy/compile/load-policy.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(cleanUp.splice(0).map((step) => step()));
});

async function answering(status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the list of embeds', () => {
  it('returns the data app of the key and its embeds, even if the address has a path', async () => {
    const databrain = await startSimulatedDatabrain({
      apiKeys: { 'Customer Portal': 'key' },
      pathPrefix: '/databrain',
    });
    cleanUp.push(databrain.close);
    expect(await listEmbeds(`${databrain.url}/`, 'key')).toEqual({
      dataAppName: 'Customer Portal',
      embedIds: ['sales-overview', 'finance-report'],
    });
    expect(await listEmbeds(databrain.url, 'another')).toBeUndefined();
  });

  it.each([
    [200, '<!doctype html>'],
    [200, '{"data":[]}'],
    [200, '{"data":[null,{"embedId":1,"embedMetadata":{"dataAppName":"x"}},{"embedId":"e"}]}'],
    [200, 'null'],
    [500, '{"error":{"code":"INTERNAL_SERVER_ERROR"}}'],
  ])('is undefined for an answer with %i %s', async (status, body) => {
    expect(await listEmbeds(await answering(status, body), 'key')).toBeUndefined();
  });

  it('is undefined without an answer', async () => {
    expect(await listEmbeds('http://127.0.0.1:9', 'key')).toBeUndefined();
  });
});

it('is turned into a policy that loads without a warning, whatever the name of the data app', () => {
  const text = toPolicy({ dataAppName: 'Ünïcode: "quoted" #1', embedIds: ['a'] });
  const policy = loadPolicy({ text, file: 'made.yaml', maxLifetimeSeconds: 86_400 });
  expect([...policy.dataApps.keys()]).toEqual(['Ünïcode: "quoted" #1']);
});
