// One expression of the file, ready to be evaluated at its site: typed, traced, compiled once.
import type { ASTNode } from '@marcbachmann/cel-js';
import { compile, type CompileContext } from '../expression/compile-expression.ts';
import type { Evaluate } from '../expression/compile-logic.ts';
import { excerpt } from '../expression/cel-tree.ts';
import { ExpressionFailure, type Evaluation } from '../expression/evaluation.ts';
import type { Expression } from '../expression/read-expression.ts';
import type { ExpressionSite, ExpressionSiteKind } from '../expression/trace.ts';

export interface CompiledSite {
  readonly site: ExpressionSite;
  /** The type that the checker inferred, in CEL's spelling (`bool`, `list<string>`, `dyn`). */
  readonly type: string;
  /** Its value in CEL's types (integers are bigint). Throws ExpressionFailure. */
  readonly evaluate: Evaluate;
}

export interface SiteSource {
  readonly id: number;
  readonly kind: ExpressionSiteKind;
  readonly path: string;
  /** The expression without `${` and `}`. */
  readonly text: string;
  /** `file:line:column` of an offset into the text; of the scalar without one. */
  readonly position: (offset?: number) => string;
}

/** Reports a variable's or field's value to the observer of this decision, if there is one. */
function observed(site: ExpressionSite, evaluate: Evaluate): Evaluate {
  return (evaluation) => {
    try {
      const value = evaluate(evaluation);
      evaluation.trace?.evaluated(site, { kind: 'value', value });
      return value;
    } catch (error) {
      if (error instanceof ExpressionFailure) {
        const { what, claim } = error;
        evaluation.trace?.evaluated(site, { kind: 'failed', what, claim });
      }
      throw error;
    }
  };
}

export function compileSite(
  source: SiteSource,
  expression: Expression,
  environment: Pick<CompileContext, 'variable' | 'newSlot'>,
): CompiledSite {
  const site: ExpressionSite = {
    id: source.id,
    kind: source.kind,
    path: source.path,
    position: source.position(),
    expression: source.text,
    claims: expression.claims,
    variables: expression.variables,
    ternaries: expression.ternaries.map((node) => ({
      position: source.position(node.start),
      condition: node.op === '?:' ? excerpt(node.args[0]) : excerpt(node),
    })),
  };
  const onBranch = (node: ASTNode, evaluation: Evaluation, taken: boolean): void =>
    evaluation.trace?.branch(site, expression.ternaries.indexOf(node), taken);
  const evaluate = observed(site, compile(expression.ast, { ...environment, onBranch, bound: [] }));
  return { site, type: expression.type, evaluate };
}
