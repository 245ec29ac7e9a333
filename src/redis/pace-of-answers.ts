// Whether Redis answers quickly enough to be worth asking. A process that is itself kept from running sees every
// answer late; how late, its event loop tells, and that much is not held against Redis.
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface PaceOfAnswers {
  readonly record: (ms: number) => void;
  /** Whether the answers of late took too long on average. */
  readonly isSlow: () => boolean;
  readonly isQuick: (ms: number) => boolean;
  /** Starts the average anew. */
  readonly restart: (ms: number) => void;
  /** Takes a look at the event loop; to be called at regular intervals. */
  readonly lookAtLoop: () => void;
  readonly close: () => void;
}

const averageOver = 8;
const resolutionMs = 5;
/** An answer passes the loop twice, on its way out and in. */
const passes = 2;

/** @param slowMs what an answer may take on average in a process that is not busy */
export function createPaceOfAnswers(slowMs: number): PaceOfAnswers {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  let averageMs = 0;
  let lagsMs: readonly [number, number] = [0, 0];

  const allowedMs = (): number => slowMs + passes * Math.max(...lagsMs);

  return {
    record: (ms) => {
      averageMs += (ms - averageMs) / averageOver;
    },
    isSlow: () => averageMs > allowedMs(),
    isQuick: (ms) => ms <= allowedMs(),
    restart: (ms) => {
      averageMs = ms;
    },
    lookAtLoop: () => {
      const lagMs = delay.count === 0 ? 0 : Math.max(0, delay.mean / 1e6 - resolutionMs);
      lagsMs = [lagsMs[1], lagMs];
      delay.reset();
    },
    close: () => delay.disable(),
  };
}
