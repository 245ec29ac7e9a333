// The users of the load run. They load pages at random times on random replicas, new users arrive all the time, and
// some requests are invalid. Each user remembers its last token, to decide whether an error was allowed.
import { createHmac } from 'node:crypto';
import { Pool } from 'undici';

export interface Outcomes {
  /** Number of answers by status, for requests with valid credentials. */
  readonly statuses: Map<number, number>;
  /** Errors for users who had a reusable token. */
  readonly brokenPromises: string[];
  /** Missing answers, and wrong answers to invalid requests. */
  readonly surprises: string[];
  readonly latenciesMs: number[];
  /** New tokens: the number of upstream calls that users cause. */
  readonly newTokens: () => number;
}

interface TrafficOptions {
  readonly urls: readonly string[];
  readonly jwtSecret: string;
  readonly users: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  readonly random: () => number;
  /** Whether replicas can share tokens now. */
  readonly canShare: () => boolean;
}

interface User {
  readonly authorization: string;
  readonly address: string;
  token?: string;
  /** The last token from each replica: the monotonic time of its expiry, and since when the others know it. */
  readonly held: Map<Pool, { readonly endsAt: number; readonly sharedFrom: number }>;
}

/** A token with this remaining lifetime is sent instead of an error; includes time on the network. */
const reusableMs = 60_000 + 1_500;

/** A token is stored for the other replicas after its answer was sent. */
const sharingMs = 1_000;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function createUser(index: number, secret: string): User {
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://login.example',
    aud: 'dashboards',
    sub: `user-${index}`,
    org_id: `tenant${index % 40}`,
  };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, iat: seconds, exp: seconds + 3600 })}`;
  const signature = createHmac('sha256', secret).update(signed).digest('base64url');
  return {
    authorization: `Bearer ${signed}.${signature}`,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    held: new Map(),
  };
}

/** Runs the traffic to its end. Requests do not wait for earlier answers, because users do not wait for each other. */
export async function runTraffic(options: TrafficOptions): Promise<Outcomes> {
  const { random, users, seconds } = options;
  const pools = options.urls.map((url) => new Pool(url, { connections: 128 }));
  const known = Array.from({ length: users }, (_, index) => createUser(index, options.jwtSecret));
  const outcomes = {
    statuses: new Map<number, number>(),
    brokenPromises: [] as string[],
    surprises: [] as string[],
    latenciesMs: [] as number[],
  };
  let newTokens = 0;
  const trafficStartedAt = performance.now();
  /** Sent while Redis was frozen. */
  const unshared = new Set<string>();
  const pick = <T>(among: readonly T[], limit = among.length): T | undefined => among[Math.floor(random() * limit)];

  const load = async (user: User, pool: Pool, startedAt: number): Promise<void> => {
    const isReusable = ({ endsAt }: { endsAt: number }): boolean => endsAt - performance.now() >= reusableMs;
    const own = user.held.get(pool);
    const isReusableHere = own !== undefined && isReusable(own);
    const isReusableElsewhere = [...user.held.values()].some(
      (token) => token.sharedFrom < performance.now() && isReusable(token),
    );
    const couldShare = options.canShare();
    const { statusCode, headers, body } = await pool.request({
      method: 'POST',
      path: '/guest-token',
      headers: { authorization: user.authorization, 'x-forwarded-for': user.address },
    });
    const text = await body.text();
    outcomes.latenciesMs.push(performance.now() - startedAt);
    outcomes.statuses.set(statusCode, (outcomes.statuses.get(statusCode) ?? 0) + 1);
    if (statusCode === 200) {
      const { token } = JSON.parse(text) as { token: string };
      if (token !== user.token) newTokens += 1;
      user.token = token;
      if (!couldShare || !options.canShare()) unshared.add(token);
      const endsAt = startedAt + Number(headers['guest-token-expires-in']) * 1000;
      const sharedFrom = unshared.has(token) ? Infinity : performance.now() + sharingMs;
      user.held.set(pool, { endsAt, sharedFrom });
    } else if (isReusableHere || (isReusableElsewhere && couldShare && options.canShare())) {
      const where = isReusableHere ? 'of this replica' : 'of the other replica';
      const code = (JSON.parse(text) as { error: { code: string } }).error.code;
      const second = ((startedAt - trafficStartedAt) / 1000).toFixed(1);
      outcomes.brokenPromises.push(
        `${statusCode} ${code} in second ${second} after ${Math.round(performance.now() - startedAt)} ms, token ${where}`,
      );
    }
  };

  const nonsense = async (pool: Pool): Promise<void> => {
    const authorization = random() < 0.5 ? 'Bearer nonsense' : `${known[0]?.authorization ?? ''}x`;
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: '/guest-token',
      headers: { authorization, 'x-forwarded-for': `10.200.0.${Math.floor(random() * 256)}` },
    });
    await body.dump();
    if (statusCode !== 401 && statusCode !== 429) outcomes.surprises.push(`${statusCode} to bad credentials`);
  };

  const running = new Set<Promise<void>>();
  for (
    let at = trafficStartedAt;
    at < trafficStartedAt + seconds * 1000;
    at += (-Math.log(1 - random()) / options.requestsPerSecond) * 1000
  ) {
    const wait = at - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    // A third of the users is there from the start; the others arrive one after the other.
    const present = users * (1 / 3 + ((2 / 3) * (at - trafficStartedAt)) / (seconds * 1000));
    const [user, pool] = [pick(known, Math.ceil(present)), pick(pools)];
    if (user === undefined || pool === undefined) continue;
    const request = (random() < 0.03 ? nonsense(pool) : load(user, pool, performance.now())).catch((error: unknown) => {
      outcomes.surprises.push(String(error));
    });
    running.add(request);
    void request.finally(() => running.delete(request));
  }
  await Promise.all(running);
  await Promise.all(pools.map((pool) => pool.close()));
  return { ...outcomes, newTokens: () => newTokens };
}
