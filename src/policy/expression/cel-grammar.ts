// What CEL's grammar refuses or reads in another way than the parser in use, looked for in the text, because the tree
// does not keep parentheses (CEL language definition, "Syntax"). Whoever reviews a policy with another CEL tool reads
// what runs here.
import { LoadProblem } from './load-problem.ts';

/** Strings with their prefixes, comments, names, hexadecimal numbers and operators; anything else is one character. */
const token =
  /[rRbB]?(?:"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*')|\/\/.*|[A-Za-z_]\w*|\d(?:[xX][\da-fA-F]+)?|[=!<>]=|&&|\|\||[^]/g;

/** A raw string that the parser goes on with after a backslash and the quote that ends it in CEL. */
const endsEarly =
  /^[rR](?:"""[^]*\\"""[^]*"""|'''[^]*\\'''[^]*'''|"(?!"")[^]*\\["\r\n][^]*"|'(?!'')[^]*\\['\r\n][^]*')$/;

const relations = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);
const resets = new Set(['&&', '||', ',', ':']);

interface Level {
  /** The relation that stands between the last `&&`, `||`, `,`, `?` or `:` and here. */
  relation: string | undefined;
  /** A `?` that still waits for its `:`. */
  ternary: boolean;
}

const newLevel = (): Level => ({ relation: undefined, ternary: false });

/** Throws LoadProblem. The text is one that the parser took. */
export function checkGrammar(text: string): void {
  const outer: Level[] = [];
  let level = newLevel();
  let last = '';
  for (const { 0: part, index } of text.matchAll(token)) {
    if (/^(?:\s|\/\/)/.test(part)) continue;
    if (endsEarly.test(part))
      throw new LoadProblem(
        'a raw string has a backslash before its own quote, where CEL ends the string',
        'Write the string without r, and the backslash twice',
        index,
      );
    if (relations.has(part) && last !== '.') {
      if (level.relation !== undefined)
        throw new LoadProblem(
          `"${part}" follows "${level.relation}" without parentheses, and CEL compares from left to right`,
          'Put what belongs together into parentheses, such as claims.role != ("guest" in claims.groups)',
          index,
        );
      level.relation = part;
    } else if (part === '?' && last !== '.' && last !== '[') {
      if (level.ternary)
        throw new LoadProblem(
          'a "? :" stands between the "?" and the ":" of another without parentheses',
          'Put the inner "? :" into parentheses',
          index,
        );
      level = { relation: undefined, ternary: true };
    } else if ('([{'.includes(part)) {
      outer.push(level);
      level = newLevel();
    } else if (')]}'.includes(part)) {
      if (last === ',' && part === ')') throw new LoadProblem('a comma stands before ")"', 'Remove the comma', index);
      level = outer.pop() ?? newLevel();
    } else if (resets.has(part)) {
      level.relation = undefined;
      if (part === ':') level.ternary = false;
    }
    last = part;
  }
}
