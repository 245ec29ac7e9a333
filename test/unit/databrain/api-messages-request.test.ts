import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { createToRequestBody } from '../../../src/databrain/api-messages.ts';
import type { Grant } from '../../../src/policy/decision.ts';
import { validateUpstreamBody } from '../../../src/policy/upstream-request.ts';
import { grantFor } from '../../support/servers/faulty-upstream-client.ts';

const toRequestBody = createToRequestBody(validateUpstreamBody);
const now = Date.UTC(2026, 10, 20);

const bodyOf = (extra: Partial<Grant>): unknown =>
  JSON.parse(toRequestBody(grantFor('acme', extra), now).bytes.toString('utf8'));
const refusalOf = (extra: Partial<Grant>): string => {
  try {
    toRequestBody(grantFor('acme', extra), now);
  } catch (error) {
    if (error instanceof ServiceError) return error.message;
    throw error;
  }
  return 'accepted';
};
/** A request that only a bug can make. */
const request = (value: unknown): Partial<Grant> => ({ request: value as Grant['request'] });

describe('The request body', () => {
  it('contains the request of the grant, a lifetime in milliseconds, and nothing else', () => {
    const full: Grant['request'] = {
      clientId: 'acme',
      dataAppName: 'Customer Portal Analytics',
      params: {
        appFilters: [{ metricId: 'revenue', values: { paid: true, year: 2026, country: ['de', 'fr'], city: 'Ulm' } }],
        dashboardAppFilters: [
          { dashboardId: 'd', values: { day: { startDate: '2026-01-01', endDate: '2026-02-01' } } },
        ],
        hideDashboardFilters: ['cost'],
        userIdentifier: 'u-1',
        allowedEmbeds: ['overview'],
        timezone: 'Europe/Berlin',
        rlsSettings: [{ metricId: 'm', values: { region: { sql: 'region = 1', columnName: 'region' } } }],
      },
      permissions: { isEnableDownloadMetrics: false },
      datasourceName: 'main',
    };
    expect(bodyOf({ request: full, lifetimeMs: 3_600_000 })).toEqual({ ...full, expiryTime: 3_600_000 });
  });

  it('keeps characters of every script unchanged', () => {
    const { bytes } = toRequestBody(grantFor('acme', request({ clientId: 'acme', dataAppName: 'Grüße 世界 😀' })), now);
    expect(bytes.toString('utf8')).toContain('"dataAppName":"Grüße 世界 😀"');
  });

  it('contains whole milliseconds, rounded down', () => {
    expect(bodyOf({ lifetimeMs: 59_999.9 })).toMatchObject({ expiryTime: 59_999 });
    expect(toRequestBody(grantFor('acme', { lifetimeMs: 59_999.9 }), now).lifetimeMs).toBe(59_999);
  });

  it('ends before the access token if the policy requires it, including the time for sending', () => {
    expect(bodyOf({ lifetimeMs: 3_600_000, notAfterMs: now + 600_000 })).toMatchObject({ expiryTime: 599_000 });
    expect(bodyOf({ lifetimeMs: 3_600_000, notAfterMs: now + 600_000.7 })).toMatchObject({ expiryTime: 599_000 });
    expect(bodyOf({ lifetimeMs: 60_000, notAfterMs: now + 600_000 })).toMatchObject({ expiryTime: 60_000 });
  });

  it('is not created for an access token that ends before the guest token arrives', () => {
    expect(refusalOf({ notAfterMs: now + 1999 })).toBe('TOKEN_EXPIRED (access_token_ends_too_soon)');
    expect(refusalOf({ notAfterMs: now - 1 })).toBe('TOKEN_EXPIRED (access_token_ends_too_soon)');
    expect(bodyOf({ notAfterMs: now + 2000 })).toMatchObject({ expiryTime: 1000 });
  });

  it.each([NaN, Infinity, -Infinity, 0, 0.5, -1, Number.MAX_VALUE])(
    'is not created with a lifetime of %d, because the vendor would mint a token that never expires',
    (lifetimeMs) => {
      expect(refusalOf({ lifetimeMs })).toBe('INTERNAL_ERROR (bug)');
    },
  );

  it('is not created for an access token without a usable end', () => {
    expect(refusalOf({ notAfterMs: NaN })).toBe('INTERNAL_ERROR (bug)');
  });

  it.each<[string, unknown]>([
    ['an unknown member', { clientId: 'a', dataAppName: 'b', admin: true }],
    ['an unknown parameter', { clientId: 'a', dataAppName: 'b', params: { all: true } }],
    ['an unknown permission', { clientId: 'a', dataAppName: 'b', permissions: { isEnableAll: true } }],
    ['a number for clientId', { clientId: 7, dataAppName: 'b' }],
    ['an empty clientId', { clientId: '', dataAppName: 'b' }],
    ['no clientId', { dataAppName: 'b' }],
    ['a permission that is a string', { clientId: 'a', dataAppName: 'b', permissions: { isShowSideBar: 'false' } }],
    ['an empty allowedEmbeds', { clientId: 'a', dataAppName: 'b', params: { allowedEmbeds: [] } }],
    [
      'an unknown object as a filter value',
      { clientId: 'a', dataAppName: 'b', params: { appFilters: [{ metricId: 'm', values: { x: { $ne: 1 } } }] } },
    ],
  ])('is refused as an internal error with %s, and the error does not repeat it', (_what, value) => {
    expect(refusalOf(request(value))).toBe('INTERNAL_ERROR (body_refused)');
  });

  it('does not change the grant', () => {
    const grant = Object.freeze(grantFor('acme', { lifetimeMs: 1000.5 }));
    const before = JSON.stringify(grant);
    toRequestBody(grant, now);
    expect(JSON.stringify(grant)).toBe(before);
  });
});
