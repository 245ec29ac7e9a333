// Compiles variables, conditions and scalars of the file. A literal is checked by its rule at load; an expression is
// compiled, and its result is checked by the same rule for each decision. Collects problems and sites for
// load-policy.ts.
import type { ASTNode } from '@marcbachmann/cel-js';
import { LoadProblem, type Problem } from '../../problem.ts';
import type { ServiceError } from '../../errors.ts';
import type { PolicyReason, ReasonOf } from '../../refusal-reasons.ts';
import { denied } from '../decision.ts';
import type { Path, YamlDocument } from '../../strict-yaml.ts';
import { pathText, shown } from '../document/structure-problems.ts';
import { excerpt } from '../expression/cel-tree.ts';
import { compile } from '../expression/compile-expression.ts';
import {
  isExpressionFailure,
  oncePerDecision,
  spend,
  type Evaluation,
  type Evaluate,
} from '../expression/evaluation.ts';
import { createExpressionReader, registrableType, typeFits, type ExpectedType } from '../expression/read-expression.ts';
import type { ExpressionSite, ExpressionSiteKind } from '../expression/decision-trace.ts';
import type { Condition } from '../policy.ts';
import { expressionIn } from '../document/field-schema.ts';
import { constant, type Field } from './field.ts';
import { checkLiteral, type Refuse, type Rule } from './value-rules.ts';

export interface ScalarOptions<T> {
  readonly kind: ExpressionSiteKind;
  /** For a result that the rule refuses. */
  readonly reason: ReasonOf<'ACCESS_DENIED'> & PolicyReason;
  readonly expected: readonly ExpectedType[];
  /** For results of expressions. */
  readonly rule: Rule<T>;
  /** For literals of the file. */
  readonly literalRule: Rule<T>;
  /** The fix for a literal that the rule refuses. */
  readonly fix?: string | ((literal: unknown) => string);
  /** The path of the value in the body; `index` is that of its entry in a filter list. Absent: the list reports it. */
  readonly bodyPath?: (index: number) => string;
}

interface CompiledSite {
  readonly site: ExpressionSite;
  /** The type that the checker inferred, in CEL's spelling (`bool`, `list<string>`, `dyn`). */
  readonly type: string;
  /** Its value in CEL's types (integers are bigint). Throws the failure of the expression. */
  readonly evaluate: Evaluate;
}

export type PolicyCompiler = ReturnType<typeof createPolicyCompiler>;

/** The claim to name in a refusal if the failure names none: the only claim of the expression. */
const onlyClaimOf = (site: ExpressionSite): string | undefined =>
  site.claims.length === 1 && site.variables.length === 0 && site.claims[0] !== '*' ? site.claims[0] : undefined;

/** The denial for an expression without a usable result. */
const expressionDenied = (
  { kind, position }: ExpressionSite,
  problem: string,
  claim: string | undefined,
  message: string | undefined,
): ServiceError => {
  const code = kind === 'availability' ? 'DATA_APP_NOT_ALLOWED' : 'ACCESS_DENIED';
  return denied({ code, reason: 'expression_failed', position, claim, message }, problem);
};

/** Reports the value of a site, or its failure, to the trace of this decision, if there is one. */
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

/** Pattern steps per unit of fuel: at most about 0.3 µs. */
const stepsPerUnit = 32;

export function createPolicyCompiler(document: YamlDocument) {
  const problems: Problem[] = [];
  const sites: ExpressionSite[] = [];
  const variables = new Map<string, Evaluate>();
  const variableTypes = new Map<string, string>();
  let slots = 0;
  let read = createExpressionReader(variableTypes);

  const report = (path: Path, problem: string, fix: string): void =>
    void problems.push({ location: document.positionOf(path), problem, fix });

  const variable = (name: string): Evaluate => {
    const defined = variables.get(name);
    if (defined === undefined) throw new TypeError(`variables.${name} was not checked`);
    return defined;
  };

  /** Compiles an expression; undefined after a problem. `path` is the whole path in the file. */
  const compileAt = (
    path: Path,
    value: unknown,
    expected: readonly ExpectedType[] | undefined,
    at: { readonly kind: ExpressionSiteKind; readonly path: string },
  ): CompiledSite | undefined => {
    const { text, offset } = expressionIn(value) ?? { text: String(value), offset: 0 };
    try {
      const expression = read(text);
      if (expression.type.includes('optional'))
        throw new LoadProblem('the result of the expression is an optional value', 'Add .orValue("…") to it', 0);
      if (expected !== undefined && !typeFits(expression.type, expected))
        throw new LoadProblem(
          `the expression gives ${expression.type}, and ${pathText(path)} needs ${expected.join(' or ')}`,
          /^list<(?:int|double)>$/.test(expression.type)
            ? 'Append .map(x, string(x)), because the list must contain strings'
            : `Write an expression that gives ${expected.join(' or ')}`,
        );
      const { ast, type, ternaries } = expression;
      const site: ExpressionSite = {
        id: sites.length,
        kind: at.kind,
        path: at.path,
        position: document.positionOf(path),
        expression: text,
        claims: expression.claims,
        variables: expression.variables,
        ternaries: ternaries.map((node) => ({
          position: document.positionInText(path, offset + node.start),
          condition: excerpt(node.op === '?:' ? node.args[0] : node),
        })),
      };
      const onBranch = (node: ASTNode, evaluation: Evaluation, taken: boolean): void =>
        evaluation.trace?.branch(site, ternaries.indexOf(node), taken);
      const evaluate = compile(ast, { variable, newSlot: () => slots++, onBranch, bound: [] });
      sites.push(site);
      return { site, type, evaluate: observed(site, evaluate) };
    } catch (error) {
      if (!(error instanceof LoadProblem)) throw error;
      problems.push({
        location: document.positionInText(path, offset + error.offset),
        problem: `${error.problem}, in "${text.length > 100 ? `${text.slice(0, 97)}…` : text}"`,
        fix: error.fix,
      });
      return undefined;
    }
  };

  /** Converts and checks the value of a site. A failure is a denial. */
  const evaluateSite = <T>(
    { site, evaluate }: CompiledSite,
    evaluation: Evaluation,
    check: (value: unknown) => T,
    message?: string,
  ): T => {
    try {
      return check(evaluate(evaluation));
    } catch (error) {
      if (!isExpressionFailure(error)) throw error;
      const { problem = '', claim = onlyClaimOf(site) } = error.detail;
      throw expressionDenied(site, problem, claim, message);
    }
  };

  /** Reads every expression below a path, whatever the structure. */
  const checkExpressions = (path: Path, value: unknown): void => {
    const isCondition = typeof value === 'string' && (path.at(-1) === 'when' || path.at(-1) === 'expression');
    if (isCondition || expressionIn(value)?.text.includes('${') === false)
      compileAt(path, value, isCondition ? ['bool'] : undefined, { kind: 'value', path: '' });
    else if (Array.isArray(value)) value.forEach((item, i) => checkExpressions([...path, i], item));
    else if (typeof value === 'object' && value !== null)
      for (const [name, member] of Object.entries(value)) checkExpressions([...path, name], member);
  };

  return {
    problems,
    sites,
    report,
    checkExpressions,
    positionOf: document.positionOf,

    /** Defines a variable, which may use those defined before it. It is evaluated on first use, once per decision. */
    defineVariable(name: string, value: unknown): void {
      const path = ['variables', name];
      // Anything but a string is a problem of the structure.
      const compiled =
        typeof value === 'string'
          ? compileAt(path, value, undefined, { kind: 'variable', path: `variables.${name}` })
          : undefined;
      if (compiled === undefined) {
        // Define it even after a problem, so that its uses cause no further problems.
        variableTypes.set(name, 'dyn');
        variables.set(name, () => null);
      } else {
        const index = variables.size;
        variableTypes.set(name, registrableType(compiled.type));
        variables.set(name, oncePerDecision(index, compiled.evaluate));
      }
      read = createExpressionReader(variableTypes);
    },

    variableCount: () => variables.size,

    /** A `when` or a validation, which must be a boolean. `message` is the operator's message for a denied user. */
    condition(
      path: Path,
      value: unknown,
      site: { readonly kind: ExpressionSiteKind; readonly path: string },
      message?: string,
    ): Condition | undefined {
      const compiled = compileAt(path, value, ['bool'], site);
      if (compiled === undefined) return undefined;
      return {
        site: compiled.site,
        holds: (evaluation) => {
          const result = evaluateSite(compiled, evaluation, (value) => value, message);
          if (typeof result === 'boolean') return result;
          const claim = onlyClaimOf(compiled.site);
          throw expressionDenied(compiled.site, 'the condition is not true or false', claim, message);
        },
      };
    },

    /** A literal or an expression. `sitePath` is relative to `request`. */
    scalar<T>(path: Path, value: unknown, sitePath: string, options: ScalarOptions<T>): Field<T> | undefined {
      if (expressionIn(value) === undefined) {
        try {
          return constant(checkLiteral(value, options.literalRule));
        } catch (error) {
          if (!(error instanceof LoadProblem)) throw error;
          const fix = typeof options.fix === 'function' ? options.fix(value) : options.fix;
          report(
            path,
            `${pathText(path)} ${shown(value)} ${error.problem}`,
            error.fix || (fix ?? 'Write another value'),
          );
          return undefined;
        }
      }
      const compiled = compileAt(path, value, options.expected, { kind: options.kind, path: sitePath });
      if (compiled === undefined) return undefined;
      const { site } = compiled;
      const { rule, reason, bodyPath } = options;
      const claim = onlyClaimOf(site);
      const refuse: Refuse = (problem) => {
        throw denied({ code: 'ACCESS_DENIED', reason, position: site.position, claim }, `${sitePath} ${problem}`);
      };
      return {
        constant: false,
        compute: (evaluation, index = 0) => {
          const pay = (steps: number): void => spend(evaluation, steps / stepsPerUnit);
          const result = evaluateSite(compiled, evaluation, (value) => rule(value, refuse, pay));
          if (evaluation.trace !== undefined && bodyPath !== undefined) evaluation.trace.placed(site, bodyPath(index));
          return result;
        },
      };
    },
  };
}
