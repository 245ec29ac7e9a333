// A policy that loaded: checked, compiled to closures, immutable. src/policy/compile/load-policy.ts makes it, decide.ts uses it.
import type { Problem } from '../problem.ts';
import type { Evaluation } from './expression/evaluation.ts';
import type { ExpressionSite } from './expression/trace.ts';
import type { UpstreamRequest } from './upstream-request.ts';

/** A literal id in the file that only the upstream can confirm. */
export interface Reference {
  readonly kind: 'embed' | 'dashboard' | 'metric';
  readonly id: string;
  /** `file:line:column` of the scalar. */
  readonly position: string;
}

export interface Condition {
  readonly site: ExpressionSite;
  /** Throws Denied if the expression fails or gives anything but a boolean. */
  readonly holds: (evaluation: Evaluation) => boolean;
}

export interface Validation {
  readonly condition: Condition;
  /** The operator's sentence for the user. */
  readonly message: string;
}

export interface DataAppPolicy {
  /** = `dataAppName` of the body. */
  readonly name: string;
  /** `file:line:column` of its key. */
  readonly position: string;
  readonly isDefault: boolean;
  /** `DATABRAIN_API_KEY` or `DATABRAIN_API_KEY_<NAME>`. */
  readonly apiKeyName: string;
  readonly expiresInMs: number;
  readonly withinAccessToken: boolean;
  /** `when`: for whom this data app exists; absent: for everybody. */
  readonly availability: Condition | undefined;
  readonly validations: readonly Validation[];
  /** Literal ids, for `check --live`. */
  readonly references: readonly Reference[];
  /** The body for these claims. Throws Denied. */
  readonly buildRequest: (evaluation: Evaluation) => UpstreamRequest;
}

export interface Policy {
  /** The file's name as it was given. */
  readonly file: string;
  /** First 12 hex digits of the file's SHA-256. */
  readonly revision: string;
  /** Warnings; errors with `check --strict`. */
  readonly lint: readonly Problem[];
  /** Every expression of the file, in the file's order. */
  readonly sites: readonly ExpressionSite[];
  readonly dataApps: ReadonlyMap<string, DataAppPolicy>;
  /** The one with `default: true`. */
  readonly defaultDataApp: DataAppPolicy | undefined;
  readonly variableCount: number;
}
