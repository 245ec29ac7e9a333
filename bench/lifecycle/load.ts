// Sends requests at a constant rate through one front. Each request starts at its time, also if earlier ones are
// running.
import { randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { signToken } from '../../test/support/sign-token.ts';

export interface LoadResult {
  readonly sent: number;
  /** Answers other than 200, and requests without an answer, by status and code or by the error's code. */
  readonly failures: ReadonlyMap<string, number>;
  /** Sorted. */
  readonly latenciesMs: readonly number[];
  readonly users: number;
}

export interface Load {
  /** Stops the load, and waits for running requests. */
  readonly stop: () => Promise<LoadResult>;
}

interface LoadOptions {
  readonly url: string;
  readonly requestsPerSecond: number;
  readonly jwtSecret: string;
  /** Share of the requests from new users; the others are from earlier users. */
  readonly newUsers?: number;
}

export function startLoad({ url, requestsPerSecond, jwtSecret, newUsers = 0.2 }: LoadOptions): Load {
  const pool = new Pool(new URL(url).origin, { connections: 64 });
  const failures = new Map<string, number>();
  const latenciesMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  const tokens: string[] = [];
  const run = randomBytes(4).toString('hex');
  const startedAt = performance.now();
  let sent = 0;

  function accessToken(): string {
    const known = Math.random() < newUsers ? undefined : tokens[Math.floor(Math.random() * tokens.length)];
    if (known !== undefined) return known;
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example', aud: 'dashboards', sub: `${run}-${tokens.length}`, org_id: 'acme' };
    const token = signToken('HS256', jwtSecret, { ...claims, iat: now, exp: now + 3600 });
    tokens.push(token);
    return token;
  }

  async function send(): Promise<void> {
    const began = performance.now();
    const fail = (why: string): unknown => failures.set(why, (failures.get(why) ?? 0) + 1);
    try {
      const { statusCode, body } = await pool.request({
        path: '/guest-token',
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken()}` },
        headersTimeout: 30_000,
      });
      const text = await body.text();
      if (statusCode !== 200) fail(`${statusCode} ${/"code":"(\w+)"/.exec(text)?.[1] ?? 'without a code'}`);
    } catch (error) {
      fail((error as NodeJS.ErrnoException).code ?? 'unknown error');
    }
    latenciesMs.push(performance.now() - began);
  }

  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1000) * requestsPerSecond;
    for (; sent < due; sent += 1) {
      const pending = send();
      underWay.add(pending);
      void pending.finally(() => underWay.delete(pending));
    }
  }, 5);

  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      await pool.close();
      return { sent, failures, latenciesMs: latenciesMs.toSorted((a, b) => a - b), users: tokens.length };
    },
  };
}
