// Reads the body of an anchored pattern: the subset of JavaScript's regular expressions that anchored-pattern.ts can
// follow in linear time. No look-around, back-references, named groups, properties or inner anchors.

/** A pattern that cannot be taken; `message` says why. */
export class PatternProblem extends Error {
  override readonly name = 'PatternProblem';
}

export type CharacterTest = (codePoint: number) => boolean;

export type PatternNode =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number };

const isDigit: CharacterTest = (c) => c >= 48 && c <= 57;
const isWord: CharacterTest = (c) => isDigit(c) || (c >= 65 && c <= 90) || c === 95 || (c >= 97 && c <= 122);
const isSpace: CharacterTest = (c) => /\s/.test(String.fromCodePoint(c));

/** By the character after a backslash. */
const ranges: Readonly<Record<string, CharacterTest>> = {
  d: isDigit,
  D: (c) => !isDigit(c),
  w: isWord,
  W: (c) => !isWord(c),
  s: isSpace,
  S: (c) => !isSpace(c),
};

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** What a backslash takes its meaning from. */
const syntaxCharacters = '^$\\.*+?()[]{}|/-';

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;

const isLineEnd = (c: number): boolean => c === 10 || c === 13 || c === 0x2028 || c === 0x2029;

export class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(body: string) {
    this.#characters = [...body];
  }

  read(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#characters.length) throw new PatternProblem('it has a ")" too many');
    return node;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string {
    const character = this.#peek();
    if (character === undefined) throw new PatternProblem('it ends too early');
    this.#at += 1;
    return character;
  }

  #choice(): PatternNode {
    const parts = [this.#sequence()];
    while (this.#peek() === '|') {
      this.#take();
      parts.push(this.#sequence());
    }
    return { kind: 'choice', parts };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek())
      parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): PatternNode {
    const part = this.#atom();
    const next = this.#peek();
    const bounds: readonly [number, number] | undefined =
      next === '*'
        ? [0, Infinity]
        : next === '+'
          ? [1, Infinity]
          : next === '?'
            ? [0, 1]
            : next === '{'
              ? this.#braces()
              : undefined;
    if (bounds === undefined) return part;
    if (next !== '{') this.#take();
    // Greed decides only where a match ends, and these always end at the end of the text.
    if (this.#peek() === '?') this.#take();
    if (['*', '+', '?', '{'].includes(this.#peek() ?? '')) throw new PatternProblem('it repeats a repetition');
    const [least, most] = bounds;
    return { kind: 'repeat', part, least, most };
  }

  #braces(): [number, number] {
    const rest = this.#characters.slice(this.#at).join('');
    const match = /^\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}/.exec(rest);
    if (match === null) throw new PatternProblem('"{" must begin a count such as {1,64}, or be written \\{');
    this.#at += match[0].length;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[2] === '' ? Infinity : Number(match[2]);
    if (most < least) throw new PatternProblem('the numbers of a count are out of order');
    return [least, most];
  }

  #atom(): PatternNode {
    const character = this.#take();
    switch (character) {
      case '(': {
        if (this.#peek() === '?') {
          this.#take();
          if (this.#peek() !== ':')
            throw new PatternProblem('only ( ) and (?: ) groups are available, no look-around and no names');
          this.#take();
        }
        const inner = this.#choice();
        this.#take();
        return inner;
      }
      case '[':
        return { kind: 'character', test: this.#class() };
      case '.':
        return { kind: 'character', test: (c) => !isLineEnd(c) };
      case '\\':
        return { kind: 'character', test: this.#escape() };
      case '^':
      case '$':
        throw new PatternProblem('^ and $ stand only at its two ends');
      case '*':
      case '+':
      case '?':
      case '{':
      case '}':
      case ']':
        throw new PatternProblem(`"${character}" has nothing to belong to; write \\${character} for the character`);
      default: {
        const code = codeOf(character);
        return { kind: 'character', test: (c) => c === code };
      }
    }
  }

  #escape(): CharacterTest {
    const point = this.#escapedPoint();
    if (typeof point === 'function') return point;
    return (c) => c === point;
  }

  #escapedPoint(): number | CharacterTest {
    const name = this.#take();
    const known = ranges[name] ?? controls[name];
    if (known !== undefined) return known;
    if (name === 'u' || name === 'x') {
      const digits = Array.from({ length: name === 'u' ? 4 : 2 }, () => this.#take()).join('');
      if (!/^[0-9A-Fa-f]+$/.test(digits)) throw new PatternProblem(`\\${name} needs hexadecimal digits`);
      return Number.parseInt(digits, 16);
    }
    if (syntaxCharacters.includes(name)) return codeOf(name);
    throw new PatternProblem(`\\${name} is not available`);
  }

  #class(): CharacterTest {
    const negated = this.#peek() === '^';
    if (negated) this.#take();
    const tests: CharacterTest[] = [];
    const point = (): number | CharacterTest => {
      const character = this.#take();
      if (character === '[') throw new PatternProblem('"[" inside [ ] must be written \\[');
      return character === '\\' ? this.#escapedPoint() : codeOf(character);
    };
    while (this.#peek() !== ']') {
      const from = point();
      if (this.#peek() === '-' && this.#characters[this.#at + 1] !== ']') {
        this.#take();
        const to = point();
        if (typeof from === 'function' || typeof to === 'function' || to < from)
          throw new PatternProblem('a range inside [ ] is out of order');
        tests.push((c) => c >= from && c <= to);
      } else tests.push(typeof from === 'function' ? from : (c) => c === from);
    }
    this.#take();
    return negated ? (c) => !tests.some((test) => test(c)) : (c) => tests.some((test) => test(c));
  }
}
