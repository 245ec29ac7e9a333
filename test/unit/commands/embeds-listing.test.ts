import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { fetchListing, parseListing } from '../../../src/commands/embeds-listing.ts';
import { createEgress } from '../../../src/egress/egress.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { withNamedProblem } from '../../support/sentences/name-sentence.ts';

const key = '7e0d5f4e-6a0e-4c53-9d3c-0e6f3f1b2a90';
const egress = createEgress({ https: undefined, http: undefined, noProxy: '' });
const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const answer = (status: number, body: string, headers: Record<string, string> = {}): Promise<string> =>
  serve((request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  });

const failureAt = async (url: string, timeoutMs = 2_000) => {
  const result = await fetchListing(egress, url, new Secret(key), timeoutMs);
  expect(JSON.stringify(result)).not.toContain(key);
  return 'failure' in result ? withNamedProblem(result.failure) : undefined;
};

describe('the request for the embeds of a key', () => {
  it('sends the key to the embeds path below the configured path, once, and mints nothing', async () => {
    const seen: string[] = [];
    const url = await serve((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      response.end(
        JSON.stringify({
          data: [
            {
              embedId: 'e1',
              externalDashboard: { externalDashboardId: 'd1' },
              embedMetadata: { dataAppName: 'sales' },
            },
            { embedId: 'e2', externalDashboard: null },
          ],
          error: null,
        }),
      );
    });
    expect(await fetchListing(egress, `${url}/databrain/`, new Secret(key), 2_000)).toEqual({
      listing: { embedIds: new Set(['e1', 'e2']), dashboardIds: new Set(['d1']), dataAppNames: new Set(['sales']) },
    });
    expect(seen).toEqual([`GET /databrain/api/v2/data-app/embeds Bearer ${key}`]);
  });

  it.each([400, 401, 403])('reports a problem of the key for %i', async (status) => {
    const url = await answer(status, JSON.stringify({ error: { message: `bad key ${key}` } }));
    expect(await failureAt(url)).toMatchObject({ at: 'key', problem: `keyRefused(${status})` });
  });

  it('does not follow a redirect, because that would send the key elsewhere', async () => {
    let followed = false;
    const other = await serve((_request, response) => {
      followed = true;
      response.end('{"data":[]}');
    });
    const url = await answer(302, '', { location: other });
    expect(await failureAt(url)).toMatchObject({ at: 'url', problem: 'redirected(302)' });
    expect(followed).toBe(false);
  });

  it.each([
    ['a web page', '<!doctype html><title>Hello</title>'],
    ['a list', '[]'],
    ['an error', '{"data":[],"error":{"message":"no"}}'],
    ['data in another form', '{"data":{}}'],
  ])('reports a problem of the address for %s with status 200', async (_title, body) => {
    expect(await failureAt(await answer(200, body))).toMatchObject({
      at: 'url',
      problem: 'notDatabrain',
    });
  });

  it.each([
    [404, 'notDatabrain'],
    [429, 'requestsLimited(429)'],
    [503, 'failing(503)'],
  ])('reports %i', async (status, problem) => {
    expect(await failureAt(await answer(status, 'x'))).toMatchObject({ at: 'url', problem });
  });

  it('stops reading an endless answer', async () => {
    const url = await serve((_request, response) => {
      response.on('error', () => undefined);
      const block = Buffer.alloc(65_536, 'a');
      const more = (): void => {
        while (!response.destroyed && response.write(block));
      };
      response.on('drain', more);
      more();
    });
    expect(await failureAt(url, 10_000)).toMatchObject({ at: 'url', problem: 'responseTooLarge' });
  });

  it('stops waiting for a silent server and for a slow one', async () => {
    const silent = await serve(() => undefined);
    expect(await failureAt(silent, 200)).toMatchObject({ at: 'url', problem: 'noResponse' });
    const dripping = await serve((_request, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await failureAt(dripping, 300)).toMatchObject({ at: 'url', problem: 'noResponse' });
  });

  it('reports that the connection is refused', async () => {
    const url = await answer(200, '');
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    expect(await failureAt(url)).toMatchObject({ at: 'url', problem: 'unreachable(ECONNREFUSED)' });
  });

  it('ignores members that are not strings or not own members', () => {
    expect(parseListing('{"data":[{"embedId":7},{"embedId":""},null,{"embedMetadata":[]}]}')).toEqual({
      embedIds: new Set(),
      dashboardIds: new Set(),
      dataAppNames: new Set(),
    });
  });
});
