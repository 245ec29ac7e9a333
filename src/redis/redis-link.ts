// Redis as something that may be gone: while it is up, an exchange is given a short time; while it is down, nobody waits
// for it. Redis only ever makes the service better; nothing here fails a request.
import type { Clock } from '../clock.ts';
import type { RedisAddress } from './redis-address.ts';
import { openRedisClient, type RedisClient } from './redis-client.ts';
import { TimeLimitReached, withinRunningTime } from './running-time.ts';

/** Thrown instead of waiting; every caller has a way to go on without Redis. */
export class RedisDown extends Error {
  override readonly name = 'RedisDown';
}

export interface RedisEvents {
  /** Once per change. `cause` is an error code or a fixed phrase; never an address or a password. */
  readonly onRedisState: (state: 'up' | 'down', cause: string) => void;
  /** Redis stays down, for another cause than the one that was reported last: once per cause while it is down. */
  readonly onRedisCause: (cause: string) => void;
}

export interface RedisLink {
  /** False also while it is not known; a request that can go on without Redis does. */
  readonly isUp: () => boolean;
  /** Resolves when it is known whether Redis is up: at once, unless a late answer has just made it doubtful. */
  readonly whenKnown: () => Promise<void>;
  /** Runs one exchange with Redis, for at most the link's time limit. Throws RedisDown, at once while Redis is down. */
  readonly run: <T>(exchange: (client: RedisClient) => Promise<T>) => Promise<T>;
  /**
   * The same where nobody waits or the only alternative is an error for the user: also while Redis counts as down, if
   * only its connection stands, and for longer. Says nothing about Redis's state. Throws RedisDown.
   */
  readonly insist: <T>(exchange: (client: RedisClient) => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

interface RedisLinkOptions {
  readonly address: RedisAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: RedisEvents;
  /** For one exchange. A request may meet one that runs out; after that Redis is asked whether it is there at all. */
  readonly limitMs?: number;
}

const defaultLimitMs = 35;
const insistLimitMs = 500;
const checkEveryMs = 250;
/** A ping without an answer for this long means that the connection itself is dead. */
const deadAfterMs = 3_000;
/** So many exchanges that ran out, with none answered between them, mean down, whatever pings say. */
const lateInARow = 3;
const shortestHoldMs = 250;
const longestHoldMs = 10_000;
/** Up for less than this: it flaps, and the next pause is twice as long. */
const steadyAfterMs = 10_000;
const firstStateWithinMs = 1_000;

const noAnswer = 'no answer in time';

/** An error code (`ECONNREFUSED`) or the first word of a Redis error reply (`WRONGPASS`), if it has such a form. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error instanceof TimeLimitReached || error.message === 'Command timed out') return noAnswer;
  const code = (error as NodeJS.ErrnoException).code ?? error.message.split(' ', 1)[0] ?? '';
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : 'connection failed';
}

/** Connects in the background; resolves as soon as it is known whether Redis answers, or after a second. */
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
  /** When the first ping was sent that has no answer yet. */
  let silentSince: number | undefined;
  /** An answer did not come in time: whether Redis is there is not known until a ping is answered or not. */
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
    // Exchanges that run out together are one event.
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
        // Redis has the whole limit from the moment that it is doubted, whichever exchange was the first to be late.
        if (state !== 'up' || causeOf(error) !== noAnswer) throw error;
        if (!isDoubted) doubt();
        return withinRunningTime(answer, doubtedAt + limitMs - clock.monotonic());
      });
      clear();
      if (state !== 'down' || clock.monotonic() - changedAt >= holdMs) change('up', 'answers');
    } catch (error) {
      change('down', causeOf(error));
    }
    // One at a time, so that a frozen server is not sent thousands.
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
