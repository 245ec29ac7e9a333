// The link to Redis, which may be unavailable: while it is up, a call has a short time limit; while it is down, calls
// fail at once. Redis is optional: no failure here fails a request.
import type { Clock } from '../clock.ts';
import type { RedisAddress } from './redis-address.ts';
import { openRedisClient, type RedisClient } from './redis-client.ts';
import { TimeLimitReached, withinRunningTime } from './running-time.ts';

/** Thrown instead of waiting. Every caller can continue without Redis. */
export class RedisDown extends Error {
  override readonly name = 'RedisDown';
}

export interface RedisEvents {
  /** Once per change. `cause` is an error code or a fixed phrase; never an address or a password. */
  readonly onRedisState: (state: 'up' | 'down', cause: string) => void;
  /** Redis stays down for a new cause. Called once per cause while it is down. */
  readonly onRedisCause: (cause: string) => void;
}

export interface RedisLink {
  /** False also while the state is unknown: requests continue without Redis. */
  readonly isUp: () => boolean;
  /** Resolves when the state is known: at once, unless a late reply has just made it uncertain. */
  readonly whenKnown: () => Promise<void>;
  /** Runs one call within the link's time limit. Throws RedisDown; at once while Redis is down. */
  readonly run: <T>(exchange: (client: RedisClient) => Promise<T>) => Promise<T>;
  /**
   * The same with a longer limit, even while Redis counts as down, as long as it is connected: for background work, or
   * if the alternative is an error. Its result does not change the state. Throws RedisDown.
   */
  readonly insist: <T>(exchange: (client: RedisClient) => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

interface RedisLinkOptions {
  readonly address: RedisAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: RedisEvents;
  /** The time limit of a call. After a time-out, a ping checks whether Redis is available. */
  readonly limitMs?: number;
}

const defaultLimitMs = 35;
const insistLimitMs = 500;
const checkEveryMs = 250;
/** A ping without a reply for this long means that the connection is dead. */
const deadAfterMs = 3_000;
/** This many consecutive time-outs mean down, even if pings succeed. */
const lateInARow = 3;
const shortestHoldMs = 250;
const longestHoldMs = 10_000;
/** If Redis was up for less than this, it is flapping, and the next pause is doubled. */
const steadyAfterMs = 10_000;
const firstStateWithinMs = 1_000;

const noAnswer = 'no answer in time';

/** An error code (`ECONNREFUSED`) or the first word of a Redis error reply (`WRONGPASS`). */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error instanceof TimeLimitReached || error.message === 'Command timed out') return noAnswer;
  const code = (error as NodeJS.ErrnoException).code ?? error.message.split(' ', 1)[0] ?? '';
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : 'connection failed';
}

/** Connects in the background. Resolves when it is known whether Redis is available, or after a second. */
export async function connectRedis(options: RedisLinkOptions): Promise<RedisLink> {
  const { clock, events, limitMs = defaultLimitMs } = options;
  const client = await openRedisClient(options.address, options.random);
  let state: 'up' | 'down' | undefined;
  let changedAt = clock.monotonic();
  let holdMs = 0;
  let lastCause = 'connection failed';
  const reported = new Set<string>();
  let late = 0;
  let isPinging = false;
  /** When the oldest unanswered ping was sent. */
  let silentSince: number | undefined;
  /** A reply was late: the state is unknown until a ping is answered or times out. */
  let isDoubted = false;
  let doubtedAt = 0;
  let isKnown: Promise<void> = Promise.resolve();
  let makeKnown: () => void = () => undefined;
  let closed = false;
  let firstStateIsKnown: () => void = () => undefined;

  const doubt = (): void => {
    isDoubted = true;
    doubtedAt = clock.monotonic();
    isKnown = new Promise((resolve) => (makeKnown = resolve));
  };
  const clear = (): void => {
    isDoubted = false;
    makeKnown();
  };

  const change = (next: 'up' | 'down', cause: string): void => {
    if (closed) return;
    if (state === next) {
      if (next === 'down' && !reported.has(cause)) events.onRedisCause(cause);
      reported.add(cause);
      return;
    }
    const now = clock.monotonic();
    if (next === 'down') {
      const flapped = state === 'up' && now - changedAt < steadyAfterMs;
      holdMs = flapped ? Math.min(longestHoldMs, Math.max(shortestHoldMs, holdMs * 2)) : shortestHoldMs;
      reported.clear();
      reported.add(cause);
    }
    state = next;
    changedAt = now;
    late = 0;
    clear();
    events.onRedisState(next, cause);
    firstStateIsKnown();
  };

  const fail = (error: unknown): void => {
    const cause = causeOf(error);
    if (cause !== noAnswer) return change('down', cause);
    // Calls that time out together count once.
    if (state !== 'up' || isDoubted) return;
    late += 1;
    if (late >= lateInARow) return change('down', noAnswer);
    doubt();
    check();
  };

  const ping = async (): Promise<void> => {
    isPinging = true;
    silentSince ??= clock.monotonic();
    const answer = client.call('PING', []);
    try {
      await withinRunningTime(answer, limitMs).catch((error: unknown) => {
        // Redis has the full limit from the moment the state became uncertain.
        if (state !== 'up' || causeOf(error) !== noAnswer) throw error;
        if (!isDoubted) doubt();
        return withinRunningTime(answer, doubtedAt + limitMs - clock.monotonic());
      });
      clear();
      if (state !== 'down' || clock.monotonic() - changedAt >= holdMs) change('up', 'answers');
    } catch (error) {
      change('down', causeOf(error));
    }
    // One ping at a time, so that a frozen server does not get thousands.
    await answer.then(
      () => (silentSince = undefined),
      (error: unknown) => change('down', causeOf(error)),
    );
    isPinging = false;
  };

  const isSilentFor = (ms: number): boolean => silentSince !== undefined && clock.monotonic() - silentSince > ms;

  const check = (): void => {
    if (!client.isReady()) return;
    if (isSilentFor(deadAfterMs)) client.reconnect();
    else if (!isPinging) void ping();
  };

  client.onError((error) => {
    lastCause = causeOf(error);
    if (!client.isReady()) change('down', lastCause);
  });
  client.onClose(() => {
    silentSince = undefined;
    change('down', lastCause);
  });
  client.onReady(check);
  const timer = setInterval(check, checkEveryMs);
  timer.unref();

  await new Promise<void>((resolve) => {
    firstStateIsKnown = resolve;
    setTimeout(resolve, firstStateWithinMs);
  });
  if (state === undefined) change('down', noAnswer);

  return {
    isUp: () => state === 'up' && !isDoubted,
    whenKnown: () => isKnown,
    run: async (exchange) => {
      if (state !== 'up' || isDoubted) throw new RedisDown();
      try {
        const answer = await withinRunningTime(exchange(client), limitMs);
        late = 0;
        return answer;
      } catch (error) {
        fail(error);
        throw new RedisDown();
      }
    },
    insist: async (exchange) => {
      if (closed || !client.isReady() || isSilentFor(insistLimitMs)) throw new RedisDown();
      return withinRunningTime(exchange(client), insistLimitMs).catch(() => {
        throw new RedisDown();
      });
    },
    close: () => {
      closed = true;
      state = 'down';
      clear();
      clearInterval(timer);
      client.close();
    },
  };
}
