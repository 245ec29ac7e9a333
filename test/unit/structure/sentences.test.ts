// A sentence of the program is in one line of the tests only: in a table of test/support/sentences.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nameSentence, sentenceOf, sentences, tables } from '../../support/sentences/name-sentence.ts';

const files = globSync('test/**/*.{ts,yaml}', {
  exclude: ['test/support/sentences/**', 'test/policy/reference/**', 'test/unit/structure/sentences.test.ts'],
});

/** Titles and comments may contain any sentence. */
const withoutTitles = (text: string): string => text.replace(/^\s*(?:it|describe|\/\/|\*).*$/gm, '');
const texts = files.map((file) => ({ file, text: withoutTitles(readFileSync(file, 'utf8')) }));

/** The longest part of a sentence that does not vary, if it is long enough to be distinctive. */
function fixedPart(sentence: string): string | undefined {
  const parts = sentence.split('{}').map((part) => part.replace(/^[\s":]+|[\s":]+$/g, ''));
  const [longest = ''] = parts.toSorted((a, b) => b.length - a.length);
  return longest.split(' ').length >= 4 ? longest : undefined;
}

/** What assertions compare with: a string or a pattern. */
const assertion =
  /\b(?:toThrow|toContain|toMatch|toBe|toEqual|stringContaining|stringMatching|includes|startsWith)\(\s*(?:new \w*Error\()?(?:(['"`])((?:\\.|(?!\1)[^\\])*)\1|\/((?:\\.|[^/\\\n])+)\/)/g;
const program = globSync('{src,demo}/**/*.ts').map((file) => withoutTitles(readFileSync(file, 'utf8')));
/** Not messages: a standard phrase of HTTP, code, a name in the demo's data. */
const otherTexts = ['Request Header Fields Too Large', 'export function mount', 'Margin by country'];
/** Tests that hold a whole printed page, line by line. */
const layouts = ['test/unit/policy/trial/explanation-lines.test.ts', 'test/unit/policy/trial/junit.test.ts'];

/** The runs of three or more words that a test asserts and the program writes. */
function assertedWording(text: string): readonly string[] {
  const literals = [...text.matchAll(assertion)].map(([, , quoted, pattern = '']) => quoted ?? pattern);
  const runs = literals.flatMap(
    (literal) => literal.replace(/\\([^\w])/g, '$1').match(/[A-Za-z][\w'-]*(?: [\w'-]+){2,}/g) ?? [],
  );
  return runs.filter((run) => !otherTexts.includes(run) && program.some((source) => source.includes(run)));
}

describe('the sentences of tests', () => {
  it('have unique names', () => {
    const names = tables.flatMap((table) => Object.keys(table));
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('are written only in their table; other files use the name', () => {
    const written = Object.entries(sentences).flatMap(([name, sentence]) => {
      const part = fixedPart(sentence);
      return texts.flatMap(({ file, text }) => (part !== undefined && text.includes(part) ? [`${name}: ${file}`] : []));
    });
    expect(written).toEqual([]);
  });

  it('are asserted by name, not written out', () => {
    const written = texts
      .filter(({ file }) => !layouts.includes(file))
      .flatMap(({ file, text }) => assertedWording(text).map((run) => `${file}: ${run}`));
    expect(written, 'add a row to a table of test/support/sentences, and use its name').toEqual([]);
  });

  it.each([
    ["expect(run).toThrow('no configured keys');", ['no configured keys']],
    ['expect(line).toMatch(/ended: no configured keys/);', ['no configured keys']],
    ["problem: expect.stringContaining('no configured keys') as string", ['no configured keys']],
    ["expect(run).toThrow(new SyntaxError('is nested too deeply'));", ['is nested too deeply']],
    ["expect(run).toThrow(sentenceOf('noConfiguredKeys'));", []],
    ["expect(text).toBe('the words of this test');", []],
  ])('are found in %s', (text, wording) => expect(assertedWording(text)).toEqual(wording));

  it('can be told apart', () => {
    const named = Object.values(sentences).map((sentence) => nameSentence(sentence.replaceAll('{}', 'X')));
    expect(named.map((name) => name.replace(/\(.*/, ''))).toEqual(Object.keys(sentences));
  });
});

describe('a sentence', () => {
  it('is named with its variable parts, which may be sentences too', () => {
    expect(nameSentence(sentenceOf('algorithmUnsupported', 'JWT_ALGORITHMS'))).toBe(
      'algorithmUnsupported(JWT_ALGORITHMS)',
    );
    expect(nameSentence(sentenceOf('unusableKey', sentenceOf('privateMembers', 'key 2')))).toBe(
      'unusableKey(privateMembers(key 2))',
    );
  });

  it('that is in no table is returned unchanged', () => {
    expect(nameSentence('says something new')).toBe('says something new');
  });
});
