import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCanonicalJson, toReuseKey } from '../../../src/guest-token/reuse-key.ts';
import type { Grant } from '../../../src/policy/decision.ts';
import { grantOf, hour, principalOf } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, shuffled(member)]),
  );
};

describe('canonical JSON', () => {
  it('is the same text for equal values whatever the order of their members, and is still that value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = toCanonicalJson(value);
        expect(toCanonicalJson(shuffled(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('tells apart what joined strings would merge', () => {
    const texts = [['a,b'], ['a', 'b'], { a: 'b' }, { 'a:b': 1 }, 'null', null, '1', 1, '\ud800', '\ufffd'].map(
      toCanonicalJson,
    );
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('leaves out undefined members, as JSON does', () => {
    expect(toCanonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
  });
});

describe('the name under which a token is reused', () => {
  const clock = createManualClock();
  const base = {
    principal: principalOf('alice'),
    grant: grantOf(),
    apiKeyIdentity: 'k1',
    baseUrl: 'https://a.example',
    clock,
  };
  const request = base.grant.request;
  const withRequest = (part: object): { grant: Grant } => ({ grant: grantOf({ request: { ...request, ...part } }) });

  it('is the same for the same request of the same user, however its members are ordered', () => {
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
    ['another API key', { apiKeyIdentity: 'k2' }],
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

  it('stays the same while the life left of one access token shrinks', () => {
    const notAfterMs = clock.now() + 600_000;
    const early = toReuseKey({ ...base, grant: grantOf({ notAfterMs, lifetimeMs: 600_000 }) });
    clock.advance(1_234);
    expect(toReuseKey({ ...base, grant: grantOf({ notAfterMs, lifetimeMs: 598_766 }) })).toBe(early);
    expect(toReuseKey({ ...base, grant: grantOf({ notAfterMs: notAfterMs + 1000, lifetimeMs: 598_766 }) })).not.toBe(
      early,
    );
  });
});
