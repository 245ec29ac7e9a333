// The upstream of the load run. It mints and limits like Databrain, fails for a share of the calls in all known ways,
// and is down for some time. It records the time of each call, so that the limit can be checked afterwards.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface UpstreamLimit {
  readonly max: number;
  readonly windowMs: number;
}

export interface FaultyDatabrain {
  readonly url: string;
  /** Monotonic time of every call. */
  readonly calls: readonly number[];
  readonly tokens: () => number;
  readonly faults: () => number;
  readonly limited: () => number;
  readonly setOut: (out: boolean) => void;
  /** The maximum number of calls in any interval of the window's length. */
  readonly peak: () => number;
  readonly close: () => void;
}

interface Options {
  readonly limit: UpstreamLimit;
  /** Between 0 and 1. */
  readonly faultShare: number;
  readonly random: () => number;
}

type Fault = (request: IncomingMessage, response: ServerResponse) => void;

const answer = (response: ServerResponse, status: number, type: string, body: string, headers = {}): void => {
  response.writeHead(status, { 'content-type': type, ...headers }).end(body);
};

const faults: readonly Fault[] = [
  (_request, response) => answer(response, 503, 'text/plain', 'unavailable'),
  (_request, response) => answer(response, 502, 'text/html', '<h1>Bad gateway</h1>'),
  (_request, response) =>
    answer(response, 500, 'application/json', '{"error":{"code":"INTERNAL_SERVER_ERROR","message":"oops"}}'),
  (_request, response) => answer(response, 200, 'text/html', '<html>maintenance</html>'),
  (_request, response) => answer(response, 200, 'application/json', '{"token":'),
  (request) => request.socket.destroy(),
  // Never answers: the caller's time limit ends the call.
  () => undefined,
];

const outages: readonly Fault[] = [
  (_request, response) => answer(response, 503, 'text/plain', 'unavailable'),
  (request) => request.socket.destroy(),
  () => undefined,
];

export async function startFaultyDatabrain({ limit, faultShare, random }: Options): Promise<FaultyDatabrain> {
  const calls: number[] = [];
  let out = false;
  const counts = { tokens: 0, faults: 0, limited: 0 };
  const pick = (among: readonly Fault[]): Fault => among[Math.floor(random() * among.length)] ?? (() => undefined);

  const server = createServer((request, response) => {
    const now = performance.now();
    calls.push(now);
    request.resume();
    request.once('end', () => {
      if (out) return pick(outages)(request, response);
      const inWindow = calls.length - calls.findIndex((at) => at > now - limit.windowMs);
      if (inWindow > limit.max) {
        counts.limited += 1;
        return answer(response, 429, 'text/plain', 'Too many requests', { 'retry-after': '1' });
      }
      if (random() < faultShare) {
        counts.faults += 1;
        return pick(faults)(request, response);
      }
      const token = JSON.stringify({ token: randomUUID(), error: null });
      return setTimeout(
        () => {
          counts.tokens += 1;
          answer(response, 200, 'application/json', token);
        },
        20 + 60 * random(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    tokens: () => counts.tokens,
    faults: () => counts.faults,
    limited: () => counts.limited,
    setOut: (next) => {
      out = next;
    },
    peak: () => {
      let start = 0;
      let most = 0;
      calls.forEach((at, index) => {
        while ((calls[start] ?? at) <= at - limit.windowMs) start += 1;
        most = Math.max(most, index - start + 1);
      });
      return most;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
