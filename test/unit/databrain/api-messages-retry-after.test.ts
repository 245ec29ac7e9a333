import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxRetryAfterMs, parseRetryAfter } from '../../../src/databrain/api-messages.ts';

const now = Date.UTC(2026, 10, 20, 12, 0, 0);

describe('Retry-After', () => {
  it.each<[string, number]>([
    ['0', 0],
    ['1', 1000],
    [' 5 ', 5000],
    ['007', 7000],
    ['120', 120_000],
    ['121', maxRetryAfterMs],
    ['315360000', maxRetryAfterMs],
    ['9'.repeat(400), maxRetryAfterMs],
    ['Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
    ['Fri, 20 Nov 2026 11:59:00 GMT', 0],
    ['Friday, 20-Nov-26 12:00:30 GMT', 30_000],
    ['Fri Nov 20 12:00:30 2026', 30_000],
    ['Fri Nov  6 12:00:30 2026', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Mon, 20 Nov 2036 12:00:00 GMT', maxRetryAfterMs],
  ])('is read from "%s"', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    'Infinity',
    'NaN',
    'soon',
    '1, 2',
    '2026-11-20T12:00:30Z',
    'Fri, 20 Nov 2026 12:00:30',
    'Fri, 20 Nov 2026 12:00:30 PST',
    'Fri, 99 Nov 2026 12:00:30 GMT',
    'Fri, 20 Foo 2026 12:00:30 GMT',
    'in 5 minutes',
  ])('counts as absent for "%s"', (value) => {
    expect(parseRetryAfter(value, now)).toBeUndefined();
  });

  it('is absent without the header', () => {
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });

  it('is absent or a limited time, whatever its text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const ms = parseRetryAfter(text, now) ?? 0;
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(maxRetryAfterMs);
      }),
    );
  });
});
