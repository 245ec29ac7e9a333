// The link to Redis, which may be unavailable: while it is up, a call has a short time limit; while it is down, calls
// fail at once. Redis is optional: no failure here fails a request.
import type { Clock } from '../clock.ts';
import type { RedisAddress } from './redis-address.ts';
import { openRedisClient, type RedisClient } from './redis-client.ts';

/** The result of a call without a reply. Every caller can continue without Redis. */
export const redisDown = Symbol('Redis is down');

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
  /** Runs one call within the link's time limit. `redisDown`: at once while Redis is down. Never throws. */
  readonly run: <T>(call: (client: RedisClient) => Promise<T>) => Promise<T | typeof redisDown>;
  /**
   * The same with a longer limit, even while Redis counts as down, as long as it is connected: for background work, or
   * if the alternative is an error. Its result does not change the state. Never throws.
   */
  readonly runAnyway: RedisLink['run'];
  readonly close: () => void;
}

interface RedisLinkOptions {
  readonly address: RedisAddress;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: RedisEvents;
  /** The time limit of a call. After a time-out, a ping checks whether Redis is available. */
  readonly limitMs?: number | undefined;
}

const defaultLimitMs = 35;
const runAnywayLimitMs = 500;
const checkEveryMs = 250;
/** A ping without a reply for this long means that the connection is dead. */
const deadAfterMs = 3_000;
/** This many consecutive time-outs mean down, even if pings succeed. */
const timeoutsInARow = 3;
const minHoldMs = 250;
const maxHoldMs = 10_000;
/** If Redis was up for less than this, it is flapping, and the next pause is doubled. */
const steadyAfterMs = 10_000;
const firstStateWithinMs = 1_000;

const noAnswer = 'no answer in time';

/** An error code (`ECONNREFUSED`) or the first word of a Redis error reply (`WRONGPASS`). */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.message === 'Command timed out') return noAnswer;
  const code = (error as NodeJS.ErrnoException).code ?? error.message.split(' ', 1)[0] ?? '';
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : 'connection failed';
}

const late = Symbol('no answer within the limit');

/** A limit consists of this many steps. A step that ends late, because the process was busy, counts as one. */
const steps = 5;

/**
 * Settles like `work`, or with `late` after `limitMs` milliseconds in which the event loop ran, so that a reply that is
 * unread because this process was busy is not late; in a busy process after at least five iterations of the loop. Does
 * not end the work.
 */
function withinRunningTime<T>(work: Promise<T>, limitMs: number): Promise<T | typeof late> {
  const stepMs = Math.max(1, limitMs / steps);
  return new Promise((resolve, reject) => {
    let stepsLeft = steps;
    let timer: NodeJS.Timeout | undefined;
    const step = (): void => {
      stepsLeft -= 1;
      if (stepsLeft > 0) timer = setTimeout(step, stepMs);
      // Timers run before sockets are read: let those be read first.
      else setImmediate(() => resolve(late));
    };
    timer = setTimeout(step, stepMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
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
  let timeouts = 0;
  let isPinging = false;
  /** When the oldest unanswered ping was sent. */
  let silentSince: number | undefined;
  /** A reply was late: the state is unknown until a ping is answered or times out. */
  let isUncertain = false;
  let uncertainSince = 0;
  let isKnown: Promise<void> = Promise.resolve();
  let makeKnown: () => void = () => undefined;
  let closed = false;
  let firstStateIsKnown: () => void = () => undefined;

  const markUncertain = (): void => {
    isUncertain = true;
    uncertainSince = clock.monotonic();
    isKnown = new Promise((resolve) => (makeKnown = resolve));
  };
  const clear = (): void => {
    isUncertain = false;
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
      holdMs = flapped ? Math.min(maxHoldMs, Math.max(minHoldMs, holdMs * 2)) : minHoldMs;
      reported.clear();
      reported.add(cause);
    }
    state = next;
    changedAt = now;
    timeouts = 0;
    clear();
    events.onRedisState(next, cause);
    firstStateIsKnown();
  };

  const fail = (cause: string): void => {
    if (cause !== noAnswer) return change('down', cause);
    // Calls that time out together count once.
    if (state !== 'up' || isUncertain) return;
    timeouts += 1;
    if (timeouts >= timeoutsInARow) return change('down', noAnswer);
    markUncertain();
    check();
  };

  const ping = async (): Promise<void> => {
    isPinging = true;
    silentSince ??= clock.monotonic();
    const pong = client.call('PING', []);
    try {
      let reply = await withinRunningTime(pong, limitMs);
      if (reply === late && state === 'up') {
        if (!isUncertain) markUncertain();
        // Redis has the full limit from the moment the state became uncertain.
        reply = await withinRunningTime(pong, uncertainSince + limitMs - clock.monotonic());
      }
      if (reply === late) change('down', noAnswer);
      else {
        clear();
        if (state !== 'down' || clock.monotonic() - changedAt >= holdMs) change('up', 'answers');
      }
    } catch (error) {
      change('down', causeOf(error));
    }
    // One ping at a time, so that a frozen server does not get thousands.
    await pong.then(
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
    isUp: () => state === 'up' && !isUncertain,
    whenKnown: () => isKnown,
    run: async (call) => {
      if (state !== 'up' || isUncertain) return redisDown;
      try {
        const reply = await withinRunningTime(call(client), limitMs);
        if (reply !== late) {
          timeouts = 0;
          return reply;
        }
        fail(noAnswer);
      } catch (error) {
        fail(causeOf(error));
      }
      return redisDown;
    },
    runAnyway: async (call) => {
      if (closed || !client.isReady() || isSilentFor(runAnywayLimitMs)) return redisDown;
      try {
        const reply = await withinRunningTime(call(client), runAnywayLimitMs);
        return reply === late ? redisDown : reply;
      } catch {
        return redisDown;
      }
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
