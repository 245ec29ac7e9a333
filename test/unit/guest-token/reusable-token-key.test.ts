import { describe, expect, it } from 'vitest';
import { createGrantNames } from '../../../src/guest-token/reusable-token.ts';
import type { Grant } from '../../../src/policy/decision.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { grantOf, hour, principalOf } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

describe('the reuse key', () => {
  const clock = createManualClock();
  const base = { principal: principalOf('alice'), grant: grantOf(), apiKey: new Secret('k1') };
  type Parts = typeof base & { readonly baseUrl?: string };
  const toReuseKey = ({ baseUrl = 'https://a.example', ...parts }: Parts): string =>
    createGrantNames(baseUrl, clock)(parts).key;
  const request = base.grant.request;
  const withRequest = (part: object): { grant: Grant } => ({ grant: grantOf({ request: { ...request, ...part } }) });

  it('is the same for the same request of the same user, whatever the order of members', () => {
    const { clientId, dataAppName, params } = request;
    const reordered = grantOf({ request: { ...(params === undefined ? {} : { params }), dataAppName, clientId } });
    expect(toReuseKey({ ...base, grant: reordered })).toBe(toReuseKey(base));
    expect(toReuseKey(base)).toMatch(/^[\w-]{43}$/);
  });

  it.each([
    ['another subject', { principal: principalOf('Alice') }],
    ['another Unicode form of the subject', { principal: principalOf('ali\u0063\u0327e') }],
    ['another issuer', { principal: principalOf('alice', 'https://other.example.com') }],
    ['parts shifted between issuer and subject', { principal: principalOf('com"alice', 'https://login.example.') }],
    ['another API key', { apiKey: new Secret('k2') }],
    ['another upstream', { baseUrl: 'https://a.example/' }],
    ['another client', withRequest({ clientId: 'acme2' })],
    ['another data app', withRequest({ dataAppName: 'other' })],
    ['other embeds', withRequest({ params: { allowedEmbeds: ['sales-overview', 'x'] } })],
    ['no embeds named', withRequest({ params: {} })],
    ['a filter', withRequest({ params: { ...request.params, appFilters: [{ metricId: 'm', values: { a: ['b'] } }] } })],
    [
      'a filter value of another type',
      withRequest({ params: { ...request.params, appFilters: [{ metricId: 'm', values: { a: 'b' } }] } }),
    ],
    ['a permission', withRequest({ permissions: { isEnableUnderlyingData: true } })],
    ['a data source', withRequest({ datasourceName: 'eu' })],
    ['another lifetime', { grant: grantOf({ lifetimeMs: 2 * hour }) }],
    ['an end within the access token', { grant: grantOf({ notAfterMs: clock.now() + hour }) }],
  ])('differs for %s', (_, change) => {
    expect(toReuseKey({ ...base, ...change })).not.toBe(toReuseKey(base));
  });

  it('stays the same while the remaining lifetime of one access token shrinks', () => {
    const notAfterMs = clock.now() + 600_000;
    const early = toReuseKey({ ...base, grant: grantOf({ notAfterMs, lifetimeMs: 600_000 }) });
    clock.advance(1_234);
    expect(toReuseKey({ ...base, grant: grantOf({ notAfterMs, lifetimeMs: 598_766 }) })).toBe(early);
    expect(toReuseKey({ ...base, grant: grantOf({ notAfterMs: notAfterMs + 1000, lifetimeMs: 598_766 }) })).not.toBe(
      early,
    );
  });

  it('is remembered with the request, and computed again if another input changes', () => {
    const namesOf = createGrantNames('https://a.example', clock);
    const keyOf = (parts: Parts): string => namesOf(parts).key;
    const others = [
      { ...base, principal: principalOf('bob') },
      { ...base, apiKey: new Secret('k2') },
      { ...base, grant: { ...base.grant, lifetimeMs: 2 * hour } },
      { ...base, grant: { ...base.grant, notAfterMs: clock.now() + 600_000 } },
      { ...base, grant: { ...base.grant, notAfterMs: clock.now() + 601_000 } },
    ];
    const first = keyOf(base);
    // Each call differs from the one before in one input.
    for (const parts of others) {
      expect(keyOf(base)).toBe(first);
      expect(keyOf(parts)).toBe(toReuseKey(parts));
    }
    const [early, later] = others.slice(-2);
    if (early === undefined || later === undefined) throw new Error('nothing is compared');
    expect([keyOf(early), keyOf(later)]).toEqual([toReuseKey(early), toReuseKey(later)]);
    expect(new Set([first, ...others.map(keyOf)]).size).toBe(6);
  });
});
