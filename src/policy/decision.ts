// The result of a decision: a permit with the grant, or a denial with its reason.
import type { Principal } from '../authn/principal.ts';
import { ServiceError } from '../errors.ts';
import { policyReasons, type CodeOf, type PolicyReason } from '../refusal-reasons.ts';
import type { UpstreamRequest } from './upstream-request.ts';

declare const decided: unique symbol;

/** Exactly what may be minted. Only policy/decide.ts creates one. */
export interface Grant {
  readonly [decided]: true;
  /** The user that it is for. */
  readonly user: Pick<Principal, 'iss' | 'sub'>;
  /** Name of the setting that holds the API key: `DATABRAIN_API_KEY` or `DATABRAIN_API_KEY_<NAME>`. */
  readonly apiKeyName: string;
  /** The upstream's body without `expiryTime`; deeply frozen. */
  readonly request: UpstreamRequest;
  /** SHA-256 of the canonical JSON of `request`, 64 hex digits. */
  readonly requestSha256: string;
  /**
   * Lifetime of a token minted now, in milliseconds; bounded by policy, settings and, if configured, the JWT's `exp`.
   */
  readonly lifetimeMs: number;
  /** With `withinAccessToken`: the JWT's `exp` in milliseconds since the epoch, which the token must not outlive. */
  readonly notAfterMs?: number;
  /** First 12 hex digits of the policy file's SHA-256. */
  readonly policyRevision: string;
}

export interface Denial<R extends PolicyReason = PolicyReason> {
  readonly code: CodeOf<R>;
  readonly reason: R;
  /** The rule that refused, as `file:line:column`. */
  readonly position?: string | undefined;
  /** Name of the missing or unusable claim, if known; never its value. */
  readonly claim?: string | undefined;
  /** The operator's message of a refused validation. */
  readonly message?: string | undefined;
}

export type Decision =
  | { readonly kind: 'permit'; readonly grant: Grant }
  | {
      readonly kind: 'deny';
      readonly denial: Denial;
      /** The requested data app, if the policy has it. */
      readonly dataApp: string | undefined;
      readonly policyRevision: string;
    };

/**
 * A denial to be thrown within a decision; decide.ts converts it to a value. `problem` says why, for the operator,
 * without any claim's value.
 */
export const denied = <R extends PolicyReason>({ code, reason, ...detail }: Denial<R>, problem: string): ServiceError =>
  new ServiceError(code, reason, { ...detail, problem });

/** Whether the policy has refused. Every other error is a bug. */
export const isDenied = (
  error: unknown,
): error is ServiceError & { readonly code: Denial['code']; readonly reason: PolicyReason } =>
  error instanceof ServiceError && Object.hasOwn(policyReasons, error.reason);
