// Many deadlines with one timer. Deadlines are almost always due in the order in which they were set, so the list is
// sorted from its end and the timer is set for the first one only. Setting or removing a deadline costs no timer.
import type { Clock } from '../clock.ts';

export interface Deadlines {
  /** Calls `onDue` once after `afterMs`, or up to a millisecond later, unless it is removed first. */
  readonly set: (afterMs: number, onDue: () => void) => Deadline;
  readonly remove: (deadline: Deadline) => void;
  /** Stops the timer. Remaining deadlines are dropped. */
  readonly close: () => void;
}

export interface Deadline {
  readonly due: number;
  readonly onDue: () => void;
  before: Deadline | undefined;
  after: Deadline | undefined;
  isSet: boolean;
}

export function createDeadlines(clock: Pick<Clock, 'monotonic'>): Deadlines {
  let first: Deadline | undefined;
  let last: Deadline | undefined;
  let timer: NodeJS.Timeout | undefined;
  let armedFor = Infinity;

  const arm = (): void => {
    if (first === undefined || first.due >= armedFor) return;
    clearTimeout(timer);
    armedFor = first.due;
    timer = setTimeout(comeDue, Math.max(1, Math.ceil(first.due - clock.monotonic())));
    // A deadline does not keep the process alive; the socket or caller that waits for it does.
    timer.unref();
  };

  const remove = (deadline: Deadline): void => {
    if (!deadline.isSet) return;
    deadline.isSet = false;
    const { before, after } = deadline;
    if (before === undefined) first = after;
    else before.after = after;
    if (after === undefined) last = before;
    else after.before = before;
  };

  const comeDue = (): void => {
    armedFor = Infinity;
    const now = clock.monotonic();
    while (first !== undefined && first.due <= now) {
      const { onDue } = first;
      remove(first);
      onDue();
    }
    arm();
  };

  return {
    remove,
    set: (afterMs, onDue) => {
      const due = clock.monotonic() + afterMs;
      let before = last;
      while (before !== undefined && before.due > due) before = before.before;
      const after = before === undefined ? first : before.after;
      const deadline: Deadline = { due, onDue, before, after, isSet: true };
      if (before === undefined) first = deadline;
      else before.after = deadline;
      if (after === undefined) last = deadline;
      else after.before = deadline;
      arm();
      return deadline;
    },
    close: () => clearTimeout(timer),
  };
}
