// Redis as something that may be gone: one bounded call at a time decides whether it is up, and while it is down
// nobody waits for it. Redis only ever makes the service better; nothing here fails a request.
import type { Clock } from '../clock.ts';
import type { RedisAddress } from './redis-address.ts';
import { createPaceOfAnswers } from './pace-of-answers.ts';
import { openRedisClient, type RedisClient } from './redis-client.ts';

/** Thrown instead of waiting; every caller has a way to go on without Redis. */
export class RedisDown extends Error {
  override readonly name = 'RedisDown';
}

export interface RedisEvents {
  /** Once per change. `cause` is an error code or a fixed phrase; never an address or a password. */
  readonly onRedisState: (state: 'up' | 'down', cause: string) => void;
}

export interface RedisLink {
  readonly isUp: () => boolean;
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
  /** For one exchange. A request may meet one that runs out; after that Redis counts as down. */
  readonly limitMs?: number;
}

const defaultLimitMs = 35;
/** Exchanges that take longer than this share of the limit on average cost a request, which makes up to three, too much. */
const slowShare = 0.45;
const insistLimitMs = 500;
const checkEveryMs = 250;
/** A ping without an answer for this long means that the connection itself is dead. */
const deadAfterMs = 3_000;
const shortestHoldMs = 250;
const longestHoldMs = 10_000;
/** Up for less than this: it flaps, and the next pause is twice as long. */
const steadyAfterMs = 10_000;
const firstStateWithinMs = 1_000;

const timedOut = 'no answer in time';
const tooSlow = 'answers too slowly';

/** An error code (`ECONNREFUSED`) or the first word of a Redis error reply (`WRONGPASS`), if it has such a form. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = (error as NodeJS.ErrnoException).code ?? error.message.split(' ', 1)[0] ?? '';
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : error.message === timedOut ? timedOut : 'connection failed';
}

function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    // The answer may lie unread in the socket because this process was busy: read before judging.
    const timer = setTimeout(() => setImmediate(() => reject(new Error(timedOut))), limitMs);
    const settle = () => clearTimeout(timer);
    work.then(resolve, reject).finally(settle);
  });
}

/** Connects in the background; resolves as soon as it is known whether Redis answers, or after a second. */
export async function connectRedis(options: RedisLinkOptions): Promise<RedisLink> {
  const { clock, events, limitMs = defaultLimitMs } = options;
  const client = await openRedisClient(options.address, options.random);
  let state: 'up' | 'down' | undefined;
  let lastCause = 'connection failed';
  let changedAt = clock.monotonic();
  let holdMs = 0;
  let pingSentAt: number | undefined;
  let closed = false;
  /** An answer did not come in time: nobody else waits for Redis until it is known whether it is down. */
  let isSuspected = false;
  const pace = createPaceOfAnswers(limitMs * slowShare);
  let tellFirstState: () => void = () => undefined;

  const change = (next: 'up' | 'down', cause: string): void => {
    if (closed || state === next) return;
    const now = clock.monotonic();
    if (next === 'down') {
      const flapped = state === 'up' && now - changedAt < steadyAfterMs;
      holdMs = flapped ? Math.min(longestHoldMs, Math.max(shortestHoldMs, holdMs * 2)) : shortestHoldMs;
    }
    state = next;
    isSuspected = false;
    changedAt = now;
    events.onRedisState(next, cause);
    tellFirstState();
  };

  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const startedAt = clock.monotonic();
    const answer = await within(work, limitMs);
    pace.record(clock.monotonic() - startedAt);
    if (pace.isSlow()) change('down', tooSlow);
    return answer;
  };

  const fail = (error: unknown): void => {
    const cause = causeOf(error);
    if (cause !== timedOut) return change('down', cause);
    if (isSuspected || state !== 'up') return;
    isSuspected = true;
    setTimeout(() => isSuspected && change('down', timedOut), limitMs);
    check();
  };

  const ping = async (): Promise<void> => {
    const sentAt = clock.monotonic();
    pingSentAt = sentAt;
    try {
      const answer = client.call('PING', []);
      await timed(answer).catch((error: unknown) => {
        fail(error);
        return answer;
      });
      const now = clock.monotonic();
      isSuspected = false;
      if (!pace.isQuick(now - sentAt) || (state === 'down' && now - changedAt < holdMs)) return;
      if (state !== 'up') pace.restart(now - sentAt);
      change('up', 'answers');
    } catch (error) {
      lastCause = causeOf(error);
      change('down', lastCause);
    } finally {
      pingSentAt = undefined;
    }
  };

  const check = (): void => {
    pace.lookAtLoop();
    if (pingSentAt !== undefined) {
      if (clock.monotonic() - pingSentAt > deadAfterMs) client.disconnect(true);
    } else if (client.status === 'ready') {
      void ping();
    }
  };

  client.on('error', (error) => {
    lastCause = causeOf(error);
    if (client.status !== 'ready') change('down', lastCause);
  });
  client.on('close', () => change('down', lastCause));
  client.on('ready', check);
  const timer = setInterval(check, checkEveryMs);
  timer.unref();

  await new Promise<void>((resolve) => {
    tellFirstState = resolve;
    setTimeout(resolve, firstStateWithinMs);
  });
  if (state === undefined) change('down', timedOut);

  return {
    isUp: () => state === 'up' && !isSuspected,
    run: async (exchange) => {
      if (state !== 'up' || isSuspected) throw new RedisDown();
      try {
        return await timed(exchange(client));
      } catch (error) {
        fail(error);
        throw new RedisDown();
      }
    },
    insist: async (exchange) => {
      const isStuck = pingSentAt !== undefined && clock.monotonic() - pingSentAt > insistLimitMs;
      if (closed || isStuck || client.status !== 'ready') throw new RedisDown();
      return within(exchange(client), insistLimitMs).catch(() => {
        throw new RedisDown();
      });
    },
    close: () => {
      closed = true;
      pace.close();
      state = 'down';
      clearInterval(timer);
      client.disconnect();
    },
  };
}
