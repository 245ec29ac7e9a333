// How a rule of the policy says no while a body is built. Caught in decide.ts, where it becomes a Denial.
import type { PolicyReason } from '../errors.ts';
import type { ExpressionSite } from './expression/trace.ts';

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: PolicyReason;
  /** Why, in words for the operator, without any claim's value. */
  readonly what: string;
  readonly site: ExpressionSite;
  readonly claim: string | undefined;

  constructor(reason: PolicyReason, what: string, site: ExpressionSite, claim: string | undefined) {
    super(reason);
    this.reason = reason;
    this.what = what;
    this.site = site;
    this.claim = claim;
  }
}
