// Claims that nobody changes between authentication and decision.
import type { Claims } from './principal.ts';

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
}

/** Freezes a claims set with everything in it, in place. */
export function freezeClaims<T extends Claims>(claims: T): T {
  deepFreeze(claims);
  return claims;
}
