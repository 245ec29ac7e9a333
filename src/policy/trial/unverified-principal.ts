// A principal made of claims that nobody verified: for explain, policy tests and the playground, which mint nothing.
// The service never makes one; there only authn/ does.
import type { Claims, Principal } from '../../authn/principal.ts';
import { deepFreeze } from '../../deep-freeze.ts';

/** Where the clock of a trial stands when its claims do not say: 2026-01-01T00:00:00Z, in seconds. */
const trialEpochSeconds = 1_767_225_600;
const trialLifetimeSeconds = 3_600;

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** The moment at which a trial with these claims takes place: their `iat`, so that a test gives the same on every day. */
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
