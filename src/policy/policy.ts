// A loaded policy: checked, compiled to closures, immutable. compile/load-policy.ts creates it, decide.ts uses it.
import type { Problem } from '../problem.ts';
import type { Evaluation } from './expression/evaluation.ts';
import type { ExpressionSite } from './expression/decision-trace.ts';
import type { UpstreamRequest } from './upstream-request.ts';

/** A literal id in the file, which only the upstream can confirm. */
export interface Reference {
  readonly kind: 'embed' | 'dashboard' | 'metric';
  readonly id: string;
  /** `file:line:column` of the scalar. */
  readonly position: string;
}

export interface Condition {
  readonly site: ExpressionSite;
  /** Throws a denial if the expression fails or its result is not a boolean. */
  readonly holds: (evaluation: Evaluation) => boolean;
}

export interface Validation {
  readonly condition: Condition;
  /** The operator's message for the user. */
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
  /** `when`: the users for whom this data app is available; absent: all users. */
  readonly availability: Condition | undefined;
  readonly validations: readonly Validation[];
  /** Literal ids, for `check --live`. */
  readonly references: readonly Reference[];
  /** The body for these claims. Throws a denial. */
  readonly buildRequest: (evaluation: Evaluation) => UpstreamRequest;
}

export interface Policy {
  /** The file's name as given. */
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
