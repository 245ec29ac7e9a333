import { expect, it } from 'vitest';
import { createReadiness } from '../../../src/http/health.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { createApiKeys } from '../../support/issuing.ts';

type Options = Parameters<typeof createReadiness>[0];

const policyOf = (...apiKeyNames: readonly string[]): Policy =>
  ({
    dataApps: new Map(apiKeyNames.map((apiKeyName, index) => [`app-${index}`, { apiKeyName }])),
  }) as unknown as Policy;

const readiness = (options: Partial<Options> = {}) =>
  createReadiness({
    policy: () => policyOf('DATABRAIN_API_KEY'),
    apiKeys: createApiKeys(),
    authenticator: { ready: () => true },
    canRecord: () => true,
    isServing: () => true,
    ...options,
  })();

const allOk = { policy: 'ok', apiKeys: 'ok', issuerKeys: 'ok', audit: 'ok', accepting: 'ok' };

it('the service is ready if every check passes', () => {
  expect(readiness()).toEqual({ isReady: true, checks: allOk });
});

it.each<readonly [string, Partial<Options>]>([
  ['policy', { policy: () => policyOf() }],
  ['apiKeys', { policy: () => policyOf('DATABRAIN_API_KEY', 'DATABRAIN_API_KEY_OTHER') }],
  ['issuerKeys', { authenticator: { ready: () => false } }],
  ['audit', { canRecord: () => false }],
  ['accepting', { isServing: () => false }],
])('the service is not ready if the check %s fails', (check, options) => {
  expect(readiness(options)).toEqual({ isReady: false, checks: { ...allOk, [check]: 'failing' } });
});

it('an unavailable secret store is reported, and the replica stays ready', () => {
  expect(readiness({ secretsAreCurrent: () => false })).toEqual({
    isReady: true,
    checks: { ...allOk, secretStores: 'failing' },
  });
  expect(readiness({ secretsAreCurrent: () => true }).checks).toEqual({ ...allOk, secretStores: 'ok' });
});
