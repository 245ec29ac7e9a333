import { describe, expect, it } from 'vitest';
import { secondsToShow, usabilityOf } from '../../../src/guest-token/reusable-token.ts';
import { grantOf, hour } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const minute = 60_000;

const mintedNow = (lifetimeMs: number, bound: { notAfterMs?: number } = {}) => {
  const clock = createManualClock();
  return {
    clock,
    token: { token: 'token', tokenSha256: '', sentAt: clock.monotonic(), lifetimeMs, renewAt: Infinity, ...bound },
  };
};

describe('a token that was minted earlier', () => {
  it('is fresh, then spare with less than the configured share of its lifetime, then unusable with less than a minute', () => {
    const { clock, token } = mintedNow(hour);
    const state = () => usabilityOf(token, grantOf(), 0.5, clock);
    expect(state()).toBe('fresh');
    clock.advance(30 * minute);
    expect(state()).toBe('fresh');
    clock.advance(1);
    expect(state()).toBe('spare');
    clock.advance(29 * minute - 1);
    expect(state()).toBe('spare');
    clock.advance(1);
    expect(state()).toBe('unusable');
  });

  it('measures its lifetime with the monotonic clock', () => {
    const { clock, token } = mintedNow(hour);
    clock.shiftWallTime(10 * hour);
    expect(usabilityOf(token, grantOf(), 0.5, clock)).toBe('fresh');
    clock.shiftWallTime(-20 * hour);
    clock.advance(2 * hour);
    expect(usabilityOf(token, grantOf(), 0.5, clock)).toBe('unusable');
  });

  it('is unusable if the grant now allows a shorter lifetime than it has left', () => {
    const { clock, token } = mintedNow(24 * hour);
    expect(usabilityOf(token, grantOf({ lifetimeMs: hour }), 0.01, clock)).toBe('unusable');
    clock.advance(23 * hour);
    expect(usabilityOf(token, grantOf({ lifetimeMs: hour }), 0.01, clock)).toBe('fresh');
  });

  it('is not fresh if the grant now allows a much longer lifetime', () => {
    const { clock, token } = mintedNow(hour);
    expect(usabilityOf(token, grantOf({ lifetimeMs: 24 * hour }), 0.5, clock)).toBe('spare');
  });

  it('is unusable if it ends after the access token', () => {
    const { clock, token } = mintedNow(hour);
    const grant = grantOf({ notAfterMs: clock.now() + 50 * minute, lifetimeMs: 50 * minute });
    expect(usabilityOf(token, grant, 0.5, clock)).toBe('unusable');
  });

  it.each([
    [50 * minute, 'fresh'],
    [50 * minute - 1, 'unusable'],
  ])('with 50 minutes left and an access token with %i ms left is %s', (left, state) => {
    const { clock, token } = mintedNow(50 * minute);
    expect(usabilityOf(token, grantOf({ notAfterMs: clock.now() + left, lifetimeMs: hour }), 0.5, clock)).toBe(state);
  });

  it('may be returned with one second left', () => {
    const { clock, token } = mintedNow(hour);
    clock.advance(hour - 1_000);
    expect(secondsToShow(token, grantOf(), clock)).toBe(1);
    clock.advance(1);
    expect(secondsToShow(token, grantOf(), clock)).toBeUndefined();
  });

  it('is unusable if it was minted for an access token that ends later than the present one', () => {
    const { clock, token } = mintedNow(hour);
    const later = { ...token, notAfterMs: clock.now() + hour };
    const grant = grantOf({ notAfterMs: clock.now() + hour - minute, lifetimeMs: hour - minute });
    expect(usabilityOf(later, grant, 0.5, clock)).toBe('unusable');
  });

  it('stays fresh for one access token even if mint and grant are a moment apart', () => {
    const clock = createManualClock();
    const notAfterMs = clock.now() + hour;
    clock.advance(800);
    const token = {
      token: 'token',
      tokenSha256: '',
      sentAt: clock.monotonic(),
      lifetimeMs: hour,
      renewAt: Infinity,
      notAfterMs,
    };
    clock.advance(5_000);
    const grant = grantOf({ notAfterMs, lifetimeMs: notAfterMs - clock.now() });
    expect(usabilityOf(token, grant, 0.5, clock)).toBe('fresh');
  });

  it('keeps to a shorter lifetime of the policy, even if the access token ends later', () => {
    const { clock, token } = mintedNow(4 * hour);
    const bound = { ...token, notAfterMs: clock.now() + 4 * hour };
    const grant = grantOf({ notAfterMs: clock.now() + 8 * hour, lifetimeMs: hour });
    expect(usabilityOf(bound, grant, 0.01, clock)).toBe('unusable');
  });

  it('reports whole seconds, and never an end after the access token', () => {
    const { clock, token } = mintedNow(hour);
    clock.advance(1_500);
    expect(secondsToShow(token, grantOf(), clock)).toBe(3598);
    const notAfterMs = clock.now() + 61_900;
    expect(secondsToShow({ ...token, notAfterMs }, grantOf({ notAfterMs }), clock)).toBe(61);
  });
});
