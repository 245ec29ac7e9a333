// Where calls wait for their turn: a first-in-first-out queue of bounded length before a bounded number of calls at a
// time, let through at the pace that the upstream bears. Whoever cannot be served in time is told so at once.
import type { Clock } from '../clock.ts';
import type { CallRate } from './call-rate.ts';
import { refuseUnsent } from './upstream-fault.ts';

/** Ends the turn. Must be called exactly once. */
export type Leave = () => void;

export interface CallQueue {
  /**
   * Resolves when the call may be sent. Throws ServiceError UPSTREAM_UNAVAILABLE (`queue_full`) at once when the
   * queue is full or the turn would come later than in `maxWaitMs`, or as soon as that becomes clear.
   */
  readonly enter: (maxWaitMs: number) => Promise<Leave>;
  /** Looks at the queue again after the pace has changed, and turns away those who would now wait too long. */
  readonly reconsider: () => void;
  readonly waiting: () => number;
  /** Whether a call would be let through at once. */
  readonly hasRoom: () => boolean;
}

interface CallQueueOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly pace: CallRate;
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
}

interface Waiter {
  readonly until: number;
  readonly expiry: NodeJS.Timeout;
  readonly admit: () => void;
  readonly refuse: (retryAfterMs: number) => void;
}

export function createCallQueue({ clock, pace, maxConcurrent, maxWaiting }: CallQueueOptions): CallQueue {
  let running = 0;
  let queue: Waiter[] = [];
  let nextTurn: NodeJS.Timeout | undefined;

  const leaveOnce = (): Leave => {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      running -= 1;
      admitWaiting();
    };
  };

  const admitWaiting = (): void => {
    clearTimeout(nextTurn);
    while (running < maxConcurrent && queue.length > 0) {
      const waitMs = pace.waitMs();
      if (waitMs > 0) {
        nextTurn = setTimeout(admitWaiting, Math.ceil(waitMs));
        return;
      }
      const next = queue.shift();
      running += 1;
      pace.sent();
      next?.admit();
    }
  };

  const remove = (waiter: Waiter): void => {
    queue = queue.filter((other) => other !== waiter);
  };

  const enter = (maxWaitMs: number): Promise<Leave> => {
    const waitMs = pace.projectedWaitMs(queue.length);
    if (queue.length >= maxWaiting || waitMs > maxWaitMs) return Promise.reject(refuseUnsent('queue_full', waitMs));
    return new Promise<Leave>((resolve, reject) => {
      const refuse = (retryAfterMs: number): void => {
        clearTimeout(waiter.expiry);
        remove(waiter);
        reject(refuseUnsent('queue_full', retryAfterMs));
      };
      const waiter: Waiter = {
        until: clock.monotonic() + maxWaitMs,
        expiry: setTimeout(() => refuse(pace.projectedWaitMs(queue.length)), maxWaitMs),
        admit: () => {
          clearTimeout(waiter.expiry);
          resolve(leaveOnce());
        },
        refuse,
      };
      queue.push(waiter);
      admitWaiting();
    });
  };

  const reconsider = (): void => {
    let ahead = 0;
    for (const waiter of [...queue]) {
      const waitMs = pace.projectedWaitMs(ahead);
      if (clock.monotonic() + waitMs > waiter.until) waiter.refuse(waitMs);
      else ahead += 1;
    }
    admitWaiting();
  };

  return {
    enter,
    reconsider,
    waiting: () => queue.length,
    hasRoom: () => queue.length === 0 && running < maxConcurrent && pace.waitMs() === 0,
  };
}
