// The reuse key of a token: a hash of everything that decides the upstream's response. Two requests share a token only
// if all parts are equal. Remembered together with the grant tag, so that neither is computed for every request.
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import type { Clock } from '../clock.ts';
import type { Grant } from '../policy/decision.ts';
import type { Secret } from '../secrets/secret.ts';
import { toGrantTag } from './guest-token.ts';
import { isCutByAccessToken } from './reusable-token.ts';

declare const hashed: unique symbol;

/** SHA-256 in base64url. */
export type ReuseKey = string & { readonly [hashed]: true };

export interface GrantNames {
  readonly key: ReuseKey;
  readonly grantTag: string;
}

interface GrantParts {
  readonly principal: Principal;
  readonly grant: Grant;
  /** The API key that mints. */
  readonly apiKey: Secret;
}

/** The inputs of the remembered names besides the grant's request. */
interface Remembered extends GrantNames {
  readonly principal: Principal;
  readonly apiKey: Secret;
  readonly lifetimeMs: number | undefined;
  readonly notAfterMs: number | undefined;
}

/**
 * Returns the reuse key of identity, upstream, API key, kind of lifetime and the body without `expiryTime`, and the
 * tag. Both are remembered by the grant's request, so that a remembered decision costs no hash. Every other input is
 * compared before a remembered key is used.
 *
 * The lifetime is included in a form that is stable between requests: the policy's duration or, if the access token
 * ends earlier, that end. Grants with different lifetimes never share a token.
 */
export function createGrantNames(baseUrl: string, clock: Clock): (parts: GrantParts) => GrantNames {
  const remembered = new WeakMap<Grant['request'], Remembered>();

  return ({ principal, grant, apiKey }) => {
    const isCut = isCutByAccessToken(grant, clock);
    const lifetimeMs = isCut ? undefined : grant.lifetimeMs;
    const notAfterMs = isCut ? grant.notAfterMs : undefined;
    const known = remembered.get(grant.request);
    const isSame =
      known?.principal === principal &&
      known.apiKey === apiKey &&
      known.lifetimeMs === lifetimeMs &&
      known.notAfterMs === notAfterMs;
    if (isSame) return known;

    const lifetime = isCut ? `until ${notAfterMs}` : `for ${lifetimeMs}`;
    const parts = [principal.iss, principal.sub, apiKey.identity(), baseUrl, lifetime, grant.requestSha256];
    const key = hash('sha256', JSON.stringify(parts), 'base64url') as ReuseKey;
    const names = { principal, apiKey, lifetimeMs, notAfterMs, key, grantTag: toGrantTag(principal, grant, apiKey) };
    remembered.set(grant.request, names);
    return names;
  };
}
