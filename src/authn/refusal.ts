// How authn/ says no: every refusal of a token is a 401, and why stays with the operator.
import { ServiceError, type AuthnReason } from '../errors.ts';

/** `INVALID_TOKEN` with the reason for the audit line; `claim` is a claim's name, never its value. */
export const refusal = (reason: AuthnReason, claim?: string): ServiceError =>
  new ServiceError('INVALID_TOKEN', reason, claim === undefined ? {} : { claim });

/** No token can be told good from bad now: the issuer's keys cannot be had. Our trouble, so never a 401. */
export const keysUnavailable = (): ServiceError => new ServiceError('AUTHENTICATION_UNAVAILABLE', 'keys_unavailable');
