// Parses and type-checks one expression with cel-js, then checks that it is within the supported subset.
// compile-expression.ts makes it executable.
import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { LoadProblem } from '../../problem.ts';
import { checkGrammar } from './cel-grammar.ts';
import { createSubsetWalker } from './cel-subset.ts';

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

/** The fix for each error code of the library. */
const fixes: ReadonlyMap<unknown, string> = new Map([
  ['no_such_overload', 'Give both sides the same type, as in int(claims.level) + 1'],
  ['no_matching_overload', 'Call it with arguments of the right types'],
  ['incompatible_ternary_branches', 'Give both branches the same type'],
  ['limit_exceeded', 'Split it into variables'],
]);

/** The fix for errors that can only be recognised by their message. */
function fixFromText(text: string, problem: string): string | undefined {
  if (/\boptional\b/.test(problem)) return 'Add .orValue("…") to the optional value';
  if (problem !== "Unexpected character: ':'") return undefined;
  const [, name] = /\bclaims\.([\w:./-]*:[\w:./-]*)/.exec(text) ?? [];
  return name === undefined ? undefined : `Write claims["${name}"]`;
}

const fromLibrary = (error: unknown, text: string): LoadProblem => {
  const { code, summary, range } = error as LibraryError;
  const problem = typeof summary === 'string' ? summary : '';
  // The library's checker has no type for the elements of an empty literal.
  if (problem === '' || problem.includes('undefined'))
    return new LoadProblem(
      'the expression uses elements of an empty list or map, which have no type',
      'Write the elements, or dyn([]) and dyn({})',
    );
  const fix = fixFromText(text, problem) ?? fixes.get(code) ?? 'Check its brackets, quotes and operators';
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
      throw new LoadProblem('the expression has half a character (a lone surrogate)', 'Write the whole character');
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
