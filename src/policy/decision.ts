// What deciding gives: a permit with the grant, or a denial with its reason. Values; within a decision a rule ends it by
// throwing Denied, which decide.ts turns into the value.
import type { Principal } from '../authn/principal.ts';
import type { ErrorCode, PolicyReason } from '../errors.ts';
import type { ExpressionSite } from './expression/trace.ts';
import type { UpstreamRequest } from './upstream-request.ts';

declare const decided: unique symbol;

/** Exactly what may be minted. Only policy/decide.ts makes one. */
export interface Grant {
  readonly [decided]: true;
  /** Whom it is for. */
  readonly user: Pick<Principal, 'iss' | 'sub'>;
  /** Name of the setting that holds the API key: `DATABRAIN_API_KEY` or `DATABRAIN_API_KEY_<NAME>`. */
  readonly apiKeyName: string;
  /** The upstream's body without `expiryTime`; deeply frozen. */
  readonly request: UpstreamRequest;
  /** SHA-256 of the canonical JSON of `request`, 64 hex digits. */
  readonly requestSha256: string;
  /** Life of a token minted now, in milliseconds; already bounded by policy, settings and, if asked, the JWT's `exp`. */
  readonly lifetimeMs: number;
  /** With `withinAccessToken`: the JWT's `exp` in milliseconds since the epoch, which no token given out may outlive. */
  readonly notAfterMs?: number;
  /** First 12 hex digits of the policy file's SHA-256. */
  readonly policyRevision: string;
}

export interface Denial {
  readonly code: Extract<ErrorCode, 'ACCESS_DENIED' | 'DATA_APP_NOT_ALLOWED' | 'TOKEN_EXPIRED'>;
  readonly reason: PolicyReason;
  /** Which rule refused, as `file:line:column`. */
  readonly position?: string | undefined;
  /** Name of the claim that was missing or unusable, as far as it can be told; never its value. */
  readonly claim?: string | undefined;
  /** The operator's sentence of a refused validation. */
  readonly message?: string | undefined;
}

export type Decision =
  | { readonly kind: 'permit'; readonly grant: Grant }
  | {
      readonly kind: 'deny';
      readonly denial: Denial;
      /** The data app that was asked for, if the policy has it. */
      readonly dataApp: string | undefined;
      readonly policyRevision: string;
    };

/** A rule says no. Only decide.ts catches it. */
export class Denied extends Error {
  override readonly name = 'Denied';
  readonly denial: Denial;
  /** Why, in words for the operator, without any claim's value. */
  readonly problem: string;
  /** The expression to blame, if there is one. */
  readonly site: ExpressionSite | undefined;

  constructor(denial: Denial, problem: string, site?: ExpressionSite) {
    super(denial.reason);
    this.denial = denial;
    this.problem = problem;
    this.site = site;
  }
}
