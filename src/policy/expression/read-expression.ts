// Reads one expression: parsed and type-checked by cel-js, then held to our subset. Evaluation is
// compile-expression.ts's work.
import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { checkGrammar } from './cel-grammar.ts';
import { createSubsetWalker } from './cel-subset.ts';
import { LoadProblem } from './load-problem.ts';

export interface Expression {
  readonly ast: ASTNode;
  /** Inferred type in CEL's spelling. */
  readonly type: string;
  readonly claims: readonly string[];
  readonly variables: readonly string[];
  /** Its ternaries in the order of the text. */
  readonly ternaries: readonly ASTNode[];
}

const limits = { maxAstNodes: 400, maxDepth: 64, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 4 };
const longestExpression = 4096;

interface LibraryError {
  readonly code?: unknown;
  readonly summary?: unknown;
  readonly range?: { readonly start: number };
}

/** What to do, by the library's code of a fault. */
const mends: ReadonlyMap<unknown, string> = new Map([
  ['no_such_overload', 'Give both sides the same type, as in int(claims.level) + 1'],
  ['no_matching_overload', 'Call it with the types that it is defined for'],
  ['incompatible_ternary_branches', 'Let both branches give the same type'],
  ['limit_exceeded', 'Split it into variables'],
]);

/** What can be told from the words alone, which the library's code of a fault does not say. */
function mendFromText(text: string, problem: string): string | undefined {
  if (/\boptional\b/.test(problem)) return 'Add .orValue("…") to the optional value';
  if (problem !== "Unexpected character: ':'") return undefined;
  const [, name] = /\bclaims\.([\w:./-]*:[\w:./-]*)/.exec(text) ?? [];
  return name === undefined ? undefined : `Write claims["${name}"]`;
}

const fromLibrary = (error: unknown, text: string): LoadProblem => {
  const { code, summary, range } = error as LibraryError;
  const problem = typeof summary === 'string' ? summary : '';
  // The parser's checker knows no type for the elements of a literal without elements.
  if (problem === '' || problem.includes('undefined'))
    return new LoadProblem(
      'the expression uses the elements of an empty list or map, which have no type',
      'Write the elements, or dyn([]) and dyn({})',
    );
  const fix = mendFromText(text, problem) ?? mends.get(code) ?? 'Look at its brackets, quotes and operators';
  return new LoadProblem(`the expression is not valid: ${problem}`, fix, range?.start ?? 0);
};

/** Creates a reader for expressions over `claims` and these variables (name → CEL type). */
export function createExpressionReader(variables: ReadonlyMap<string, string>): (text: string) => Expression {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits,
  });
  environment.registerVariable('claims', 'map<string, dyn>');
  environment.registerType('Variables', {
    ctor: class Variables {},
    fields: Object.fromEntries(variables),
  });
  environment.registerVariable('variables', 'Variables');

  /** Throws LoadProblem. */
  return (text) => {
    if (text.length > longestExpression)
      throw new LoadProblem('the expression is longer than 4096 characters', 'Split it into variables');
    if (!text.isWellFormed())
      throw new LoadProblem('the expression holds half a character (a lone surrogate)', 'Write the whole character');
    let parsed: ParseResult;
    try {
      parsed = environment.parse(text);
    } catch (error) {
      throw fromLibrary(error, text);
    }
    checkGrammar(text);
    const { visit, claims, used, ternaries } = createSubsetWalker(variables);
    visit(parsed.ast, []);
    const checked = parsed.check();
    if (!checked.valid) throw fromLibrary(checked.error, text);
    return {
      ast: parsed.ast,
      type: checked.type ?? 'dyn',
      claims: [...claims],
      variables: [...used],
      ternaries,
    };
  };
}
