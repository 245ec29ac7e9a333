// The call queue: one queue per API key, served round robin, before a bounded number of concurrent calls, at the rate
// that the upstream accepts. A call that cannot be sent in time is refused at once. Estimates from finished calls how
// long a call will wait.
import type { Clock } from '../clock.ts';
import type { CallRate } from './call-rate.ts';
import { ServiceError } from '../errors.ts';
import { createDeadlines, type Deadline } from './deadlines.ts';
import { refuseUnsent } from './upstream-fault.ts';

/** Releases the place. Must be called exactly once. */
export type Leave = () => void;

export interface KeyQueue {
  /**
   * Resolves when the call may be sent. Throws ServiceError UPSTREAM_UNAVAILABLE (`queue_full`) at once when the queue
   * is full or the response could not arrive within `remainingMs`, or as soon as that becomes clear.
   */
  readonly enter: (remainingMs: number) => Leave | Promise<Leave>;
  /** Whether a call would be let through at once. */
  readonly hasRoom: () => boolean;
}

export interface CallQueue {
  /** The queue of an API key with this call rate. */
  readonly createKeyQueue: (rate: CallRate) => KeyQueue;
  /** Checks all queues after a rate has changed, and refuses calls that would now wait too long. */
  readonly reconsider: () => void;
  /** Refuses all waiting calls as SHUTTING_DOWN. */
  readonly close: () => void;
}

interface CallQueueOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** The part that all API keys share. */
  readonly rate: CallRate;
  readonly maxConcurrent: number;
  /** The maximum number of concurrent calls of one API key while others are waiting. */
  readonly maxConcurrentPerKey: number;
  readonly maxWaiting: number;
  /** The minimum time for the call itself; with less it is not sent. */
  readonly minCallMs: number;
}

interface Waiter {
  /** The latest time to send it. */
  readonly until: number;
  readonly deadline: Deadline;
  readonly admit: () => void;
  readonly refuse: (error: ServiceError) => void;
}

/** The calls of one API key. */
interface KeyLoad {
  readonly rate: CallRate;
  /** In order of arrival. */
  readonly waiters: Waiter[];
  running: number;
}

const tooLate = (waitMs: number): ServiceError => refuseUnsent('queue_full', waitMs);

export function createCallQueue(options: CallQueueOptions): CallQueue {
  const { clock, maxConcurrent, minCallMs } = options;
  const serviceTime = createServiceTime(clock);
  const expiries = createDeadlines(clock);
  /** The next key to serve comes first. */
  let keys: KeyLoad[] = [];
  let waiting = 0;
  let callMsConsidered = 0;
  let rateTimer: NodeJS.Timeout | undefined;

  const perKey = (): number => (keys.length > 1 ? options.maxConcurrentPerKey : maxConcurrent);
  const hasPlace = (key: KeyLoad): boolean => serviceTime.running() < maxConcurrent && key.running < perKey();
  const rateWaitMs = (key: KeyLoad): number => Math.max(key.rate.waitMs(), options.rate.waitMs());

  /** Milliseconds until a further call could be sent, with `ahead` calls of its key before it. */
  const projectedWaitMs = (key: KeyLoad, ahead: number): number => {
    const aheadOfAll = keys.reduce((sum, other) => sum + Math.min(other.waiters.length, ahead), 0);
    /** So many calls must end before this one starts. */
    const endsNeeded = aheadOfAll + 1 + serviceTime.running() - maxConcurrent;
    return Math.max(
      key.rate.projectedWaitMs(ahead),
      options.rate.projectedWaitMs(aheadOfAll),
      endsNeeded > 0 ? endsNeeded * serviceTime.msBetweenEnds() : 0,
    );
  };

  const start = (key: KeyLoad): Leave => {
    key.running += 1;
    key.rate.sent();
    options.rate.sent();
    const end = serviceTime.begin();
    return () => {
      key.running -= 1;
      end();
      if (waiting === 0) return;
      // Calls now take much longer than at the last check of the queue.
      if (serviceTime.callMs() > 1.5 * callMsConsidered) reconsider();
      else admitWaiting();
    };
  };

  /** The first key in order with a waiting call, a free place and the rate for it. */
  const nextKey = (): KeyLoad | undefined =>
    keys.find((key) => key.waiters.length > 0 && hasPlace(key) && rateWaitMs(key) === 0);

  const admitWaiting = (): void => {
    clearTimeout(rateTimer);
    for (let key = nextKey(); key !== undefined; key = nextKey()) {
      if (keys.length > 1) keys = [...keys.filter((other) => other !== key), key];
      const first = key.waiters[0];
      if (first === undefined) break;
      remove(key, first);
      first.admit();
    }
    if (waiting === 0 || serviceTime.running() >= maxConcurrent) return;
    const waits = keys.filter((key) => key.waiters.length > 0 && hasPlace(key)).map(rateWaitMs);
    if (waits.length > 0) rateTimer = setTimeout(admitWaiting, Math.max(1, Math.ceil(Math.min(...waits))));
  };

  const remove = (key: KeyLoad, waiter: Waiter): void => {
    const at = key.waiters.indexOf(waiter);
    if (at < 0) return;
    // Almost always the first one.
    if (at === 0) key.waiters.shift();
    else key.waiters.splice(at, 1);
    waiting -= 1;
    expiries.remove(waiter.deadline);
  };

  const wait = (key: KeyLoad, maxWaitMs: number): Promise<Leave> =>
    new Promise((resolve, reject) => {
      const waiter: Waiter = {
        until: clock.monotonic() + maxWaitMs,
        deadline: expiries.set(maxWaitMs, () => waiter.refuse(tooLate(projectedWaitMs(key, key.waiters.length)))),
        admit: () => resolve(start(key)),
        refuse: (error) => {
          remove(key, waiter);
          reject(error);
        },
      };
      key.waiters.push(waiter);
      waiting += 1;
      admitWaiting();
    });

  const reconsider = (): void => {
    callMsConsidered = serviceTime.callMs();
    for (const key of keys) {
      let ahead = 0;
      for (const waiter of [...key.waiters]) {
        const waitMs = projectedWaitMs(key, ahead);
        if (clock.monotonic() + waitMs > waiter.until) waiter.refuse(tooLate(waitMs));
        else ahead += 1;
      }
    }
    admitWaiting();
  };

  const createKeyQueue = (rate: CallRate): KeyQueue => {
    const key: KeyLoad = { rate, waiters: [], running: 0 };
    keys.push(key);
    const hasRoom = (): boolean => key.waiters.length === 0 && hasPlace(key) && rateWaitMs(key) === 0;
    return {
      hasRoom,
      enter: (remainingMs) => {
        if (hasRoom() && remainingMs >= 0) return start(key);
        const maxWaitMs = remainingMs - Math.max(minCallMs, serviceTime.callMs());
        const waitMs = projectedWaitMs(key, key.waiters.length);
        if (waiting >= options.maxWaiting || waitMs > maxWaitMs) return Promise.reject(tooLate(waitMs));
        return wait(key, maxWaitMs);
      },
    };
  };

  return {
    createKeyQueue,
    reconsider,
    close: () => {
      clearTimeout(rateTimer);
      for (const key of keys) {
        for (const waiter of [...key.waiters]) waiter.refuse(new ServiceError('SHUTTING_DOWN', 'shutting_down'));
      }
      expiries.close();
    },
  };
}

interface ServiceTime {
  /** Starts a call. Call the returned function exactly once when it ends. */
  readonly begin: () => () => void;
  readonly running: () => number;
  /** The duration of a call in milliseconds; 0 while unknown. */
  readonly callMs: () => number;
  /** Milliseconds from the end of one call to the end of the next; 0 while unknown. */
  readonly msBetweenEnds: () => number;
}

/** So many calls must have ended before anything is known: the shortest of them, as the first ones open connections. */
const firstCalls = 10;

/**
 * The weight of one call after that: calls that take longer count only when there are many, so that a busy moment is
 * soon forgotten.
 */
const weight = { longer: 0.05, shorter: 0.5 };

/** A call hangs if it has run for this long, and for four times the usual duration. */
const hangsAfterMs = 500;

/**
 * Estimates how long calls take, and so when a place becomes free, from completed calls and from the age of hanging
 * ones. Prefers a short estimate, so that no call is refused that could have been sent.
 */
function createServiceTime(clock: Pick<Clock, 'monotonic'>): ServiceTime {
  const running = new Set<{ readonly since: number }>();
  let callMs = 0;
  let ended = 0;
  let shortestMs = Infinity;

  const learn = (tookMs: number): void => {
    ended += 1;
    shortestMs = Math.min(shortestMs, tookMs);
    if (ended === firstCalls) callMs = shortestMs;
    else if (ended > firstCalls) callMs += (tookMs > callMs ? weight.longer : weight.shorter) * (tookMs - callMs);
  };

  return {
    running: () => running.size,
    callMs: () => callMs,
    begin: () => {
      const call = { since: clock.monotonic() };
      running.add(call);
      return () => {
        running.delete(call);
        learn(clock.monotonic() - call.since);
      };
    },
    msBetweenEnds: () => {
      const now = clock.monotonic();
      let endsPerMs = 0;
      for (const { since } of running) {
        const hangs = now - since > Math.max(hangsAfterMs, 4 * callMs);
        endsPerMs += 1 / (hangs ? now - since : callMs);
      }
      return endsPerMs === 0 ? 0 : 1 / endsPerMs;
    },
  };
}
