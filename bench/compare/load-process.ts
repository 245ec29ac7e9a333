// Load and upstream in one process, on a different core than the server. load.ts controls it over IPC.
import { connect } from 'node:net';
import { startUpstream, uuidGroupOf, type Upstream } from './upstream.ts';
import { createMessageReader } from './wire.ts';

export interface LoadOrder {
  readonly port: number;
  readonly tokens: readonly string[];
  /** Indices into `tokens`, in the order in which they are sent. */
  readonly order: readonly number[];
  readonly connections: number;
  /** Whether each UUID must end in the number of the token's user. */
  readonly provesUser: boolean;
}

export interface LoadResult {
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers with another user's UUID, or none. */
  readonly wrong: number;
  readonly upstreamCalls: number;
  /** Connections to the upstream at a time. */
  readonly upstreamConnections: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The duration of each call over TLS: about that of the vendor's API from a nearby cloud region. */
const burstDelayMs = 50;

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

async function load({
  port,
  tokens,
  order,
  connections,
  provesUser,
}: LoadOrder): Promise<Omit<LoadResult, 'upstreamCalls' | 'upstreamConnections'>> {
  const requests = tokens.map(
    (token) =>
      `POST /guest-token HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\ncontent-length: 0\r\n\r\n`,
  );
  const times = new Float64Array(order.length);
  const statuses: Record<string, number> = {};
  let wrong = 0;
  let next = 0;
  let answered = 0;
  const began = performance.now();

  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      let user = 0;
      let sentAt = 0;
      const send = (): void => {
        if (next >= order.length) {
          socket.destroy();
          resolve();
          return;
        }
        user = order[next] ?? 0;
        next += 1;
        sentAt = performance.now();
        socket.write(requests[user] ?? '');
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('close', resolve);
      socket.on(
        'data',
        createMessageReader(({ head, body }) => {
          times[answered] = performance.now() - sentAt;
          answered += 1;
          const status = head.slice(9, 12);
          statuses[status] = (statuses[status] ?? 0) + 1;
          if (provesUser && status === '200' && !body.includes(uuidGroupOf(user))) wrong += 1;
          send();
        }),
      );
    });

  await Promise.all(Array.from({ length: Math.min(connections, order.length) }, one));
  const sorted = times.slice(0, answered).sort();
  return {
    seconds: (performance.now() - began) / 1000,
    statuses,
    wrong,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  };
}

const upstreams = [await startUpstream(), await startUpstream({ delayMs: burstDelayMs, tls: true })] as const;
const sum = (take: (upstream: Upstream) => number): number => upstreams.map(take).reduce((a, b) => a + b, 0);
process.on('message', (order: LoadOrder) => {
  sum(({ takeCalls, takeMostOpen }) => takeCalls() + takeMostOpen());
  void load(order).then((result) =>
    process.send?.({
      ...result,
      upstreamCalls: sum(({ takeCalls }) => takeCalls()),
      upstreamConnections: sum(({ takeMostOpen }) => takeMostOpen()),
    }),
  );
});
process.send?.({ upstreamPort: upstreams[0].port, tlsUpstreamPort: upstreams[1].port });
