// What an observer of one decision is told, so that explain, policy tests and coverage need no evaluator of their own.
// Values pass through here: an observer is for an operator at a terminal, never for logs.

export type ExpressionSiteKind =
  /** An entry of `variables`. */
  | 'variable'
  /** `when` of a data app: is it for this user at all. */
  | 'availability'
  /** `expression` of an entry of `validations`. */
  | 'validation'
  /** `when` of an entry of a filter list. */
  | 'when'
  /** `${ … }` in place of `clientId`. */
  | 'clientId'
  /** `${ … }` in place of a value under `appFilters`, `rlsSettings` or `dashboardAppFilters`. */
  | 'filterValue'
  /** `${ … }` in place of a permission. */
  | 'permission'
  /** `${ … }` anywhere else in `request`. */
  | 'value';

/** A ternary `condition ? a : b` inside an expression. */
export interface Ternary {
  /** `file:line:column` of its condition. */
  readonly position: string;
  /** The condition as the operator wrote it. */
  readonly condition: string;
}

/** A place of the policy file that holds an expression. */
export interface ExpressionSite {
  /** Its index in `policy.sites`. */
  readonly id: number;
  readonly kind: ExpressionSiteKind;
  /**
   * Where it stands below the data app's `request`, with the file's indexes: `params.appFilters[1].values.country`;
   * `variables.isAdmin`, `when`, `validations[0].expression` for the others.
   */
  readonly path: string;
  /** `file:line:column` of the scalar. */
  readonly position: string;
  /** The expression without `${` and `}`. */
  readonly expression: string;
  /** Claims it names itself, as dotted paths (`realm_access.roles`); those of its variables are with the variables. */
  readonly claims: readonly string[];
  /** Variables it names itself. */
  readonly variables: readonly string[];
  readonly ternaries: readonly Ternary[];
}

export type ExpressionSiteOutcome =
  /** What the expression gave, before the rules of its field are applied. */
  | { readonly kind: 'value'; readonly value: unknown }
  /** Why it gave nothing; `what` holds no claim's value. */
  | { readonly kind: 'failed'; readonly problem: string; readonly claim: string | undefined };

export interface Trace {
  /** An expression was evaluated. A variable is told once per decision, when it is first used. */
  readonly evaluated: (site: ExpressionSite, outcome: ExpressionSiteOutcome) => void;
  /** A ternary of a site chose: `ternary` is its index in `site.ternaries`; in a comprehension it is told per element. */
  readonly branch: (site: ExpressionSite, ternary: number, taken: boolean) => void;
  /** The value of a site now stands in the body at `path`, with the body's own indexes (`params.appFilters[0].values.country`). */
  readonly placed: (site: ExpressionSite, path: string) => void;
  /** The decision is a denial; `what` says why in words, without any claim's value. `site` is absent if no expression is to blame. */
  readonly refused: (problem: string, site: ExpressionSite | undefined) => void;
}
