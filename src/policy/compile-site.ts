// One expression of the file, ready to be evaluated at its site: typed, traced, compiled once.
import type { Evaluation } from './evaluation.ts';
import type { Site } from './trace.ts';

export interface CompiledSite {
  readonly site: Site;
  /** The type that the checker inferred, in CEL's spelling (`bool`, `list<string>`, `dyn`). */
  readonly type: string;
  /** Its value in CEL's types (integers are bigint). Throws ExpressionFailure. */
  readonly evaluate: (evaluation: Evaluation) => unknown;
}
