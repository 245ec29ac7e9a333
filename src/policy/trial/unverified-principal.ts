// A principal from unverified claims, for explain, policy tests and the playground, which mint nothing. In the service
// only authn/ creates principals.
import type { Claims, Principal } from '../../authn/principal.ts';
import { deepFreeze } from '../../strict-json.ts';

/** The time of a trial whose claims have no `iat`: 2026-01-01T00:00:00Z, in seconds. */
const trialEpochSeconds = 1_767_225_600;
const trialLifetimeSeconds = 3_600;

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** The time of a trial with these claims: their `iat`, so that a test has the same result every day. */
export function trialTimeMs(claims: Claims): number {
  const { iat, exp } = claims as { readonly iat?: unknown; readonly exp?: unknown };
  if (isTime(iat)) return iat * 1_000;
  if (isTime(exp)) return (exp - trialLifetimeSeconds) * 1_000;
  return trialEpochSeconds * 1_000;
}

/** Freezes the claims. Without `exp` the principal's access token ends an hour after `nowMs`. */
export function unverifiedPrincipal(claims: Claims, nowMs: number): Principal {
  const { iss, sub, exp } = claims as { readonly iss?: unknown; readonly sub?: unknown; readonly exp?: unknown };
  return {
    iss: typeof iss === 'string' ? iss : '',
    sub: typeof sub === 'string' || typeof sub === 'number' ? sub : '',
    exp: isTime(exp) ? exp : nowMs / 1_000 + trialLifetimeSeconds,
    claims: deepFreeze(claims),
  } as Principal;
}
