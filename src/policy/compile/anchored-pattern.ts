// Compiles `clientIdPattern` and `filterValuePattern`, regular expressions over strings from claims. RE2 runs them in
// linear time. Only syntax with the same meaning in JavaScript and RE2 is allowed, so that an operator can test a
// pattern anywhere. ^ and $ apply to the whole pattern, not to one alternative.
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { LoadProblem } from '../../problem.ts';
import type { TextTest } from './value-rules.ts';

/** Steps per character of the input. */
const maxInstructions = 1000;

const refuse = (why: string): never => {
  throw new LoadProblem(`the pattern cannot be used: ${why}`, 'Write it like ^[A-Za-z0-9_-]{1,64}$');
};

/** Tokens of a pattern: escapes, classes, repetitions and groups; anything else is one character. */
const part =
  /\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|[^])|\[\^?(?:\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|[^])|[^\]\\])*\]|\{\d+(?:,\d*)?\}|\(\?:|[^]/gu;

const knownEscape = /^\\(?:[dDwWsStnvfr^$\\.*+?()[\]{}|/-]|u[\da-fA-F]{4}|x[\da-fA-F]{2})$/;

/** JavaScript's white space and line ends. RE2's \s and . cover only a part of them. */
const space = String.raw`\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`;
const notSpace = String.raw`\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`;
const anyButLineEnds = String.raw`[^\n\r\x{2028}\x{2029}]`;

/** The RE2 form of an escape, for use inside a class. */
function escape(text: string): string {
  if (!knownEscape.test(text)) return refuse(`${text} is not available`);
  if (text === '\\s') return space;
  if (text === '\\S') return notSpace;
  return text.startsWith('\\u') ? `\\x{${text.slice(2)}}` : text;
}

function characterClass(text: string): string {
  const negated = text.startsWith('[^');
  const body = text.slice(negated ? 2 : 1, -1);
  if (body === '') return refuse('[ ] is empty');
  if (/(?:^|[^\\])(?:\\\\)*\[/.test(body)) return refuse('"[" inside [ ] must be written \\[');
  if (/\\[dDwWsS]-[^]|[^\\]-\\[dDwWsS]/.test(body)) return refuse('a range inside [ ] ends in a class');
  return `[${negated ? '^' : ''}${body.replace(/\\(?:u[\da-fA-F]{4}|x[\da-fA-F]{2}|[^])/g, escape)}]`;
}

function toRe2(body: string): string {
  return body.replace(part, (text, at: number) => {
    if (text.startsWith('\\')) return /^\\[sS]$/.test(text) ? `[${escape(text)}]` : escape(text);
    if (text.length > 1 && text.startsWith('[')) return characterClass(text);
    if (text === '.') return anyButLineEnds;
    if (text === '^' || text === '$') return refuse('^ and $ are only allowed at its two ends');
    if (text === '(' && body[at + 1] === '?') return refuse('only ( ) and (?: ) groups are available');
    if ('{}[]'.includes(text))
      return refuse(`"${text}" is not part of a group or class; write \\${text} for the character`);
    return text;
  });
}

function compile(body: string): RE2JS {
  try {
    return RE2JS.compile(toRe2(body));
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    return refuse(error.message.replace(/^error parsing regexp: /, ''));
  }
}

/**
 * Compiles a pattern between ^ and $ to a test of a whole text, by code points as with JavaScript's `u` flag.
 * Throws LoadProblem for other syntax: look-around, back-references, classes by property, inner anchors.
 */
export function compileAnchoredPattern(source: string): TextTest {
  if (!/^\^[^]*\$$/.test(source)) return refuse('it must begin with ^ and end with $');
  if (/(?:^|[^\\])(?:\\\\)*\\\$$/.test(source)) return refuse('its last $ is escaped');
  const pattern = compile(source.slice(1, -1));
  const instructions = pattern.programSize();
  if (instructions > maxInstructions) return refuse('its repetitions make it too large');
  return (text, pay) => {
    pay(text.length * instructions);
    // Not pattern.matches(): for some patterns it creates states per character, which is ten times slower.
    return pattern.matcher(text).matches();
  };
}
