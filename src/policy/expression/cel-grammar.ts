// Refuses expressions that this parser reads differently from CEL's grammar (CEL language definition, "Syntax"), so
// that other CEL tools show what runs here. Works on the text, because the syntax tree does not keep parentheses.
import { LoadProblem } from '../../problem.ts';

/** Strings with their prefixes, comments, names, hexadecimal numbers and operators; anything else is one character. */
const token =
  /[rRbB]?(?:"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*')|\/\/.*|[A-Za-z_]\w*|\d(?:[xX][\da-fA-F]+)?|[=!<>]=|&&|\|\||[^]/g;

/** A raw string that this parser continues after a backslash and a quote, where CEL ends it. */
const endsEarly =
  /^[rR](?:"""[^]*\\"""[^]*"""|'''[^]*\\'''[^]*'''|"(?!"")[^]*\\["\r\n][^]*"|'(?!'')[^]*\\['\r\n][^]*')$/;

const relations = new Set(['==', '!=', '<', '<=', '>', '>=', 'in']);
const resets = new Set(['&&', '||', ',', ':']);

interface Level {
  /** The relation since the last `&&`, `||`, `,`, `?` or `:`. */
  relation: string | undefined;
  /** A `?` without its `:` so far. */
  ternary: boolean;
}

const newLevel = (): Level => ({ relation: undefined, ternary: false });

/** Throws LoadProblem. The parser has accepted the text. */
export function checkGrammar(text: string): void {
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
