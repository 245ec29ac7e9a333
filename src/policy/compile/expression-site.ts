// One expression of the file at its site: how it is recognised, its allowed types, and the closure that evaluates and
// traces it.
import type { ASTNode } from '@marcbachmann/cel-js';
import { excerpt } from '../expression/cel-tree.ts';
import { compile, type CompileContext } from '../expression/compile-expression.ts';
import { isExpressionFailure, type Evaluation, type Evaluate } from '../expression/evaluation.ts';
import type { Expression } from '../expression/read-expression.ts';
import type { ExpressionSite, ExpressionSiteKind } from '../expression/trace.ts';

/** The static types that a site accepts. */
export type ExpectedType = 'bool' | 'string' | 'number' | 'list';

/** Whether the inferred type can be one of these. `dyn` can be any type and is checked per decision. */
export const typeFits = (type: string, expected: readonly ExpectedType[]): boolean =>
  type.startsWith('dyn') ||
  (type === 'bool' && expected.includes('bool')) ||
  (type === 'string' && expected.includes('string')) ||
  ((type === 'int' || type === 'double') && expected.includes('number')) ||
  (/^list(?:<(?:string|dyn|[A-Z])>)?$/.test(type) && expected.includes('list'));

/** The type of a variable for later expressions: the inferred type if the checker supports it, otherwise `dyn`. */
export const registrableType = (type: string): string => {
  if (/^(?:bool|string|int|double|list|list<(?:string|bool|int|double|dyn)>)$/.test(type)) return type;
  if (type.startsWith('list')) return 'list';
  return type.startsWith('map') ? 'map' : 'dyn';
};

export interface CompiledSite {
  readonly site: ExpressionSite;
  /** The type that the checker inferred, in CEL's spelling (`bool`, `list<string>`, `dyn`). */
  readonly type: string;
  /** Its value in CEL's types (integers are bigint). Throws the failure of the expression. */
  readonly evaluate: Evaluate;
}

export interface SiteSource {
  readonly id: number;
  readonly kind: ExpressionSiteKind;
  readonly path: string;
  /** The expression without `${` and `}`. */
  readonly text: string;
  /** `file:line:column` of an offset into the text, or of the scalar. */
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
      if (isExpressionFailure(error)) {
        const { problem = '', claim } = error.detail;
        evaluation.trace?.evaluated(site, { kind: 'failed', problem, claim });
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
      condition: excerpt(node.op === '?:' ? node.args[0] : node),
    })),
  };
  const onBranch = (node: ASTNode, evaluation: Evaluation, taken: boolean): void =>
    evaluation.trace?.branch(site, expression.ternaries.indexOf(node), taken);
  const evaluate = observed(site, compile(expression.ast, { ...environment, onBranch, bound: [] }));
  return { site, type: expression.type, evaluate };
}
