// The trace of one decision, so that explain, policy tests and coverage do not need their own evaluator. It includes
// values of claims: for an operator at a terminal, never for logs.

export type ExpressionSiteKind =
  /** An entry of `variables`. */
  | 'variable'
  /** `when` of a data app: whether it is available to this user. */
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

/** A position in the policy file with an expression. */
export interface ExpressionSite {
  /** Its index in `policy.sites`. */
  readonly id: number;
  readonly kind: ExpressionSiteKind;
  /**
   * The path relative to the data app's `request`, with the file's indexes: `params.appFilters[1].values.country`;
   * `variables.isAdmin`, `when`, `validations[0].expression` for the others.
   */
  readonly path: string;
  /** `file:line:column` of the scalar. */
  readonly position: string;
  /** The expression without `${` and `}`. */
  readonly expression: string;
  /** Claims that it names directly, as dotted paths (`realm_access.roles`), without those of its variables. */
  readonly claims: readonly string[];
  /** Variables that it names directly. */
  readonly variables: readonly string[];
  readonly ternaries: readonly Ternary[];
}

export type ExpressionSiteOutcome =
  /** The result of the expression, before the rules of its field are applied. */
  | { readonly kind: 'value'; readonly value: unknown }
  /** Why it failed; `problem` holds no claim's value. */
  | { readonly kind: 'failed'; readonly problem: string; readonly claim: string | undefined };

export interface DecisionTrace {
  /** An expression was evaluated. Called once per variable and decision, on first use. */
  readonly evaluated: (site: ExpressionSite, outcome: ExpressionSiteOutcome) => void;
  /** A ternary chose a branch: `ternary` is its index in `site.ternaries`. Inside a macro, called per element. */
  readonly branch: (site: ExpressionSite, ternary: number, taken: boolean) => void;
  /**
   * The value of a site was put into the body at `path`, with the body's indexes
   * (`params.appFilters[0].values.country`).
   */
  readonly placed: (site: ExpressionSite, path: string) => void;
  /**
   * The decision is a denial; `problem` says why, without any claim's value. `site` is absent if no expression caused
   * it.
   */
  readonly refused: (problem: string, site: ExpressionSite | undefined) => void;
}
