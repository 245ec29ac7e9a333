import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDeadlines } from '../../../src/databrain/deadlines.ts';

const clock = { monotonic: () => performance.now() };

describe('Deadlines on one timer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('fire in order of time, whatever the order in which they were set', async () => {
    const deadlines = createDeadlines(clock);
    const due: string[] = [];
    deadlines.set(300, () => due.push('c'));
    deadlines.set(100, () => due.push('a'));
    deadlines.set(200, () => due.push('b'));
    await vi.advanceTimersByTimeAsync(150);
    expect(due).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(200);
    expect(due).toEqual(['a', 'b', 'c']);
  });

  it('use one timer, however many there are', () => {
    const deadlines = createDeadlines(clock);
    for (let i = 0; i < 1000; i += 1) deadlines.set(3000, () => undefined);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('do not fire after they are removed, even by another deadline at the same time', async () => {
    const deadlines = createDeadlines(clock);
    const due: string[] = [];
    const removed = deadlines.set(100, () => due.push('removed'));
    deadlines.set(50, () => deadlines.remove(second));
    const second = deadlines.set(50, () => due.push('second'));
    deadlines.remove(removed);
    deadlines.remove(removed);
    await vi.advanceTimersByTimeAsync(1000);
    expect(due).toEqual([]);
  });

  it('may be set while another one fires', async () => {
    const deadlines = createDeadlines(clock);
    const due: number[] = [];
    const again = (): void => {
      due.push(clock.monotonic());
      if (due.length < 3) deadlines.set(100, again);
    };
    deadlines.set(100, again);
    await vi.advanceTimersByTimeAsync(1000);
    expect(due).toHaveLength(3);
  });

  it('do not fire after they are closed', async () => {
    const deadlines = createDeadlines(clock);
    const due: number[] = [];
    deadlines.set(100, () => due.push(1));
    deadlines.close();
    await vi.advanceTimersByTimeAsync(1000);
    expect(due).toEqual([]);
  });

  it('fire exactly once and on time unless they are removed, whatever the history', async () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 500 }),
      waitMs: fc.integer({ min: 0, max: 100 }),
      remove: fc.option(fc.nat({ max: 20 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const deadlines = createDeadlines(clock);
        const all: { due: number; came: number[]; removedAt?: number }[] = [];
        const handles: ReturnType<typeof deadlines.set>[] = [];
        for (const { afterMs, waitMs, remove } of steps) {
          const entry: (typeof all)[number] = { due: clock.monotonic() + afterMs, came: [] };
          all.push(entry);
          handles.push(deadlines.set(afterMs, () => entry.came.push(clock.monotonic())));
          await vi.advanceTimersByTimeAsync(waitMs);
          const removed = remove === undefined ? undefined : all[remove];
          const handle = remove === undefined ? undefined : handles[remove];
          if (removed !== undefined && handle !== undefined && removed.came.length === 0) {
            deadlines.remove(handle);
            removed.removedAt = clock.monotonic();
          }
        }
        await vi.advanceTimersByTimeAsync(1000);
        for (const { due, came, removedAt } of all) {
          if (removedAt !== undefined) expect(came).toEqual([]);
          else {
            expect(came).toHaveLength(1);
            expect((came[0] ?? 0) - due).toBeGreaterThanOrEqual(0);
            expect((came[0] ?? 0) - due).toBeLessThanOrEqual(2);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
