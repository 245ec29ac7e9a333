// The cryptographic check as authn/ asks for it. The check itself is @fastify/jwt's: http/jwt.ts implements this.
import type { IssuerConfig } from './issuer.ts';
import type { LoadedKey } from './keys/key-ring.ts';
import type { JsonObject } from '../strict-json.ts';

/**
 * Verifies signature and registered claims with this one key, and gives the payload.
 * Throws ServiceError: `signature_invalid` when another key may fit, TOKEN_EXPIRED only after a good signature.
 */
export type VerifyJws = (issuer: IssuerConfig, token: string, key: LoadedKey) => Promise<JsonObject>;
