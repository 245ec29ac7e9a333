// A sentence of the program is in one line of the tests only: in a table of test/support/sentences.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nameSentence, sentenceOf, sentences, tables } from '../../support/sentences/name-sentence.ts';

const files = globSync('test/**/*.{ts,yaml}', {
  exclude: ['test/support/sentences/**', 'test/policy/reference/**'],
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
