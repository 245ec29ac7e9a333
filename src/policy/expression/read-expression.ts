// Parses and type-checks one expression with cel-js, then checks that it is within the supported subset.
// compile-expression.ts makes it executable.
import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { LoadProblem } from '../../problem.ts';
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
const maxExpressionLength = 4096;

interface LibraryError {
  readonly code?: unknown;
  readonly summary?: unknown;
  readonly range?: { readonly start: number };
}

/** The fix for each error code of the library. */
const fixes: ReadonlyMap<unknown, string> = new Map([
  ['no_such_overload', 'Convert one side to the type of the other with int(…), double(…) or string(…)'],
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

/** Strings with their prefixes, comments, names, hexadecimal numbers and operators; anything else is one character. */
const token =
  /[rRbB]?(?:"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*')|\/\/.*|[A-Za-z_]\w*|\d(?:[xX][\da-fA-F]+)?|[=!<>]=|&&|\|\||[^]/g;

/** A raw string that this parser continues after a backslash and a quote, where CEL ends it. */
const endsEarly =
  /^[rR](?:"""[^]*\\"""[^]*"""|'''[^]*\\'''[^]*'''|"(?!"")[^]*\\["\r\n][^]*"|'(?!'')[^]*\\['\r\n][^]*')$/;

const relations: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);
const resets: ReadonlySet<string> = new Set(['&&', '||', ',', ':']);

interface Level {
  /** The relation since the last `&&`, `||`, `,`, `?` or `:`. */
  relation: string | undefined;
  /** A `?` without its `:` so far. */
  ternary: boolean;
}

const newLevel = (): Level => ({ relation: undefined, ternary: false });

/**
 * Refuses text that this parser reads differently from CEL's grammar (CEL language definition, "Syntax"), so that other
 * CEL tools show what runs here. Works on the text, because the syntax tree does not keep parentheses. Throws
 * LoadProblem. The parser has accepted the text.
 */
function checkGrammar(text: string): void {
  const outer: Level[] = [];
  let level = newLevel();
  let last = '';
  for (const { 0: part, index } of text.matchAll(token)) {
    if (/^(?:\s|\/\/)/.test(part)) continue;
    if (endsEarly.test(part))
      throw new LoadProblem(
        'a raw string has a backslash before its own quote, where CEL ends the string',
        'Write the string without r, and double the backslash',
        index,
      );
    if (relations.has(part) && last !== '.') {
      if (level.relation !== undefined)
        throw new LoadProblem(
          `"${part}" follows "${level.relation}" without parentheses, and CEL compares from left to right`,
          'Use parentheses, such as claims.role != ("guest" in claims.groups)',
          index,
        );
      level.relation = part;
    } else if (part === '?' && last !== '.' && last !== '[') {
      if (level.ternary)
        throw new LoadProblem(
          'a "? :" is nested between the "?" and ":" of another without parentheses',
          'Put the inner "? :" into parentheses',
          index,
        );
      level = { relation: undefined, ternary: true };
    } else if ('([{'.includes(part)) {
      outer.push(level);
      level = newLevel();
    } else if (')]}'.includes(part)) {
      if (last === ',' && part === ')') throw new LoadProblem('a comma is before ")"', 'Remove the comma', index);
      level = outer.pop() ?? newLevel();
    } else if (resets.has(part)) {
      level.relation = undefined;
      if (part === ':') level.ternary = false;
    }
    last = part;
  }
}

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
    if (text.length > maxExpressionLength)
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
