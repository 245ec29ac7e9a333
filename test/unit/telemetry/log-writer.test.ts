import { describe, expect, it, vi } from 'vitest';
import { createLogWriter } from '../../../src/telemetry/log-writer.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

type Done = (error?: Error | null) => void;

/** A sink whose writes end when the test calls a function, or at once by default. */
function start(bounds: Parameters<typeof createLogWriter>[0]['bounds'] = {}, isSlow = false) {
  const writes: string[] = [];
  const pending: Done[] = [];
  const reported: number[] = [];
  const clock = createManualClock();
  const state = { isSlow };
  const writer = createLogWriter({
    sink: {
      write: (text, done) => {
        writes.push(text);
        if (state.isSlow) pending.push(done);
        else done();
      },
    },
    clock,
    onDropped: (lines) => {
      reported.push(lines);
      writer.write(`dropped ${lines}\n`);
    },
    bounds,
  });
  return { writer, writes, pending, reported, clock, state };
}

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the log writer', () => {
  it('writes the lines of one iteration of the event loop at once, required ones first', async () => {
    const { writer, writes } = start();
    writer.write('a\n');
    const first = writer.record('b\n');
    await Promise.resolve();
    writer.write('c\n');
    const second = writer.record('d\n');
    expect(writes).toEqual([]);
    expect(await Promise.all([first, second])).toEqual([true, true]);
    expect(writes).toEqual(['b\nd\na\nc\n']);
    writer.write('e\n');
    await round();
    expect(writes.slice(1)).toEqual(['e\n']);
  });

  it('reports a line as written only after the operating system has accepted it', async () => {
    const { writer, pending } = start({}, true);
    let isWritten: boolean | undefined;
    const recorded = writer.record('a\n').then((written) => (isWritten = written));
    await round();
    await round();
    expect(isWritten).toBeUndefined();
    pending[0]?.();
    await recorded;
    expect(isWritten).toBe(true);
  });

  it('reports a line as not written if the write fails, and tries again with the next line', async () => {
    const { writer, pending, state } = start({}, true);
    const refused = writer.record('a\n');
    await round();
    pending[0]?.(new Error('ENOSPC'));
    expect(await refused).toBe(false);
    expect(writer.isFlowing()).toBe(false);
    state.isSlow = false;
    writer.write('b\n');
    await round();
    expect(writer.isFlowing()).toBe(true);
    expect(await writer.record('c\n')).toBe(true);
  });

  it('counts ordinary lines of a failed write as dropped, and logs their number after the next successful write', async () => {
    const { writer, writes, pending, state, reported } = start({}, true);
    writer.write('a\n');
    writer.write('b\n');
    await round();
    pending[0]?.(new Error('ENOSPC'));
    state.isSlow = false;
    expect(writer.dropped()).toBe(2);
    writer.write('c\n');
    await until(() => writes.includes('dropped 2\n'));
    expect(reported).toEqual([2]);
  });

  it('does not count required lines as dropped, because their callers are informed', async () => {
    const { writer, pending } = start({}, true);
    const refused = writer.record('a\n');
    writer.write('b\n');
    await round();
    pending[0]?.(new Error('ENOSPC'));
    expect([await refused, writer.dropped()]).toEqual([false, 1]);
  });

  it('logs the lines that a failed write dropped after five seconds, even without another line', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { writer, pending, reported } = start({}, true);
      writer.write('a\n');
      await round();
      pending[0]?.(new Error('ENOSPC'));
      vi.advanceTimersByTime(4_999);
      expect(reported).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(reported).toEqual([1]);
      await round();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('stops waiting for a reader that has stopped, removes waiting lines, and continues when it reads again', async () => {
    const { writer, writes, pending, clock, state } = start({ stalledAfterMs: 1000 }, true);
    const inFlight = writer.record('a\n');
    await round();
    const waiting = writer.record('b\n');
    clock.advance(1000);
    expect(await Promise.all([inFlight, waiting])).toEqual([false, false]);
    expect(writer.isFlowing()).toBe(false);
    expect(await writer.record('c\n')).toBe(false);
    state.isSlow = false;
    pending[0]?.();
    await round();
    expect(writer.isFlowing()).toBe(true);
    expect(await writer.record('d\n')).toBe(true);
    expect(writes).toEqual(['a\n', 'd\n']);
  });

  it('buffers a limited number of characters while the reader has stopped, and logs the number of dropped lines once', async () => {
    const { writer, writes, pending, state, reported } = start({ ordinary: 1000, write: 300 }, true);
    writer.write('first\n');
    await round();
    for (let index = 0; index < 5000; index += 1) writer.write(`${String(index).padStart(9, '0')}\n`);
    expect(writer.dropped()).toBe(4900);
    state.isSlow = false;
    pending[0]?.();
    await until(() => writes.at(-1) === 'dropped 4900\n');
    expect(reported).toEqual([4900]);
    expect(writes.join('').match(/^\d{9}$/gm)).toHaveLength(100);
    expect(Math.max(...writes.map(({ length }) => length))).toBeLessThanOrEqual(300);
    writer.write('z\n');
    await round();
    expect(reported).toEqual([4900]);
  });

  it('keeps required lines during a flood of ordinary lines', async () => {
    const { writer, writes, pending } = start({ ordinary: 100 }, true);
    writer.write('first\n');
    await round();
    for (let index = 0; index < 100; index += 1) writer.write('flood\n');
    const recorded = writer.record('a\n');
    pending[0]?.();
    await round();
    expect(writes[1]?.startsWith('a\n')).toBe(true);
    pending[1]?.();
    expect(await recorded).toBe(true);
  });

  it('limits required lines too', async () => {
    const { writer, pending } = start({ required: 10 }, true);
    writer.write('first\n');
    await round();
    const taken = writer.record('0123456789\n');
    expect(await writer.record('a\n')).toBe(false);
    expect(writer.isFlowing()).toBe(false);
    pending[0]?.();
    await round();
    pending[1]?.();
    expect(await taken).toBe(true);
    expect(writer.isFlowing()).toBe(true);
  });

  it('does not delay refusals because of a slow reader', async () => {
    const { writer, pending } = start({}, true);
    let isSettled = false;
    writer.write('a\n');
    const settled = writer.settled().then(() => (isSettled = true));
    await round();
    expect(isSettled).toBe(false);
    writer.write('b\n');
    await writer.settled();
    pending[0]?.();
    await settled;
    expect(isSettled).toBe(true);
  });

  it('flushes the remaining lines within the time limit', async () => {
    const { writer, writes, pending, state } = start({}, true);
    await writer.flush(1);
    writer.write('a\n');
    const startedAt = performance.now();
    await writer.flush(30);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(25);
    state.isSlow = false;
    writer.write('b\n');
    const flushed = writer.flush(10_000);
    pending[0]?.();
    await flushed;
    expect(writes).toEqual(['a\n', 'b\n']);
  });
});
