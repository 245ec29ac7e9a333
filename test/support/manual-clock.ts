// A clock that a test moves. Wall time and monotonic time can differ, as on a real machine.
import type { Clock } from '../../src/clock.ts';

export interface ManualClock extends Clock {
  readonly advance: (ms: number) => void;
  /** Sets the wall clock forward or back; monotonic time does not change. */
  readonly shiftWallTime: (ms: number) => void;
}

export function createManualClock(startMs = Date.UTC(2026, 10, 20)): ManualClock {
  let wall = startMs;
  let monotonic = 5_000;
  return {
    now: () => wall,
    monotonic: () => monotonic,
    advance: (ms) => {
      wall += ms;
      monotonic += ms;
    },
    shiftWallTime: (ms) => {
      wall += ms;
    },
  };
}
