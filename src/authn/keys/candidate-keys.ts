// The keys of an issuer that may have signed a token (RFC 7515 §4.1.4), as they are now, or the wait for one that is not
// known yet. Throws ServiceError where no key can have: 401 for the token's fault, 503 when no keys are at hand.
import { signatureBytesOf } from './algorithms.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { IssuerConfig } from '../issuer.ts';
import type { JoseHeader } from '../jose-header.ts';
import type { KeyRing, LoadedKey } from './key-ring.ts';
import { keysUnavailable, refusal } from '../refusal.ts';

export interface Issuer {
  readonly config: IssuerConfig;
  readonly keys: IssuerKeys;
}

function ringOf({ keys }: Issuer): KeyRing {
  const ring = keys.ring();
  if (ring === undefined) throw keysUnavailable();
  return ring;
}

/** Waits for what may bring the key: the first fetch, or one on behalf of a `kid` that is not known. */
export async function expectKey(issuer: Issuer, { kid }: JoseHeader): Promise<void> {
  const { keys } = issuer;
  if (keys.ring() === undefined) await keys.settled();
  if (!ringOf(issuer).knows(kid)) await keys.refreshForUnknownKey();
}

/** The keys of now, at least one, that may have made a signature of this length. */
export function candidateKeys(
  issuer: Issuer,
  { kid, algorithm }: JoseHeader,
  signatureLength: number,
): readonly LoadedKey[] {
  const ring = ringOf(issuer);
  const able = ring.candidates(kid, algorithm);
  if (able.length === 0) {
    throw refusal(kid !== undefined && ring.knows(kid) ? 'algorithm_refused' : 'key_unknown');
  }
  // RFC 8017 §8.1.2 step 1. OpenSSL takes a PSS signature whose leading zeros were cut off, and a token that can be
  // written in two ways gets past whatever knows tokens by their text.
  const fitting = able.filter(({ modulusBytes }) => signatureBytesOf(algorithm, modulusBytes) === signatureLength);
  if (fitting.length === 0) throw refusal('signature_invalid');
  return fitting;
}
