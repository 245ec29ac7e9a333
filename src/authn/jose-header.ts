// The JOSE header (RFC 7515 §4, RFC 8725 §3): what a token says of itself, held against what its issuer may say.
// `jku`, `x5u`, `jwk`, `x5c` and `x5t` are never read: keys come from configuration only.
import { algorithmNamed, type Algorithm } from './keys/algorithms.ts';
import type { IssuerConfig } from './issuer.ts';
import { refusal } from './refusal.ts';
import { own, type JsonObject } from '../strict-json.ts';

/**
 * Members whose mere presence is refused, whatever their value: extensions that a reader must understand (`crit`), an
 * unencoded payload (`b64`, RFC 7797), compression (`zip`), and encryption (`enc`).
 */
const refusedMembers = ['crit', 'b64', 'zip', 'enc'] as const;

const acceptedTypes: ReadonlySet<string> = new Set(['jwt', 'at+jwt']);

export interface JoseHeader {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
}

const mediaType = (text: string): string => text.toLowerCase().replace(/^application\//, '');

function checkType(header: JsonObject, issuer: IssuerConfig): void {
  const present = Object.hasOwn(header, 'typ');
  if (!present && issuer.typ === undefined) return;
  const typ = own(header, 'typ');
  if (typeof typ !== 'string') throw refusal('token_type_refused');
  const accepted =
    issuer.typ === undefined ? acceptedTypes.has(mediaType(typ)) : mediaType(typ) === mediaType(issuer.typ);
  if (!accepted) throw refusal('token_type_refused');
}

/** Throws INVALID_TOKEN unless the header is one that this issuer's tokens may have. */
export function readJoseHeader(header: JsonObject, issuer: IssuerConfig): JoseHeader {
  if (refusedMembers.some((member) => Object.hasOwn(header, member))) throw refusal('token_header_refused');

  const algorithm = algorithmNamed(own(header, 'alg'));
  if (algorithm === undefined || !issuer.algorithms.includes(algorithm)) throw refusal('algorithm_refused');

  checkType(header, issuer);
  if (Object.hasOwn(header, 'cty')) {
    // RFC 7519 §5.2: a token that carries another token.
    const cty = own(header, 'cty');
    if (typeof cty !== 'string' || mediaType(cty) === 'jwt') throw refusal('token_type_refused');
  }

  const kid = own(header, 'kid');
  if (Object.hasOwn(header, 'kid') && typeof kid !== 'string') throw refusal('token_header_refused');
  return { algorithm, kid: typeof kid === 'string' ? kid : undefined };
}
