import { describe, expect, it } from 'vitest';
import { parsePolicyDocument } from '../../../src/policy/policy-document.ts';
import { ConfigurationError } from '../../../src/problem.ts';

const whatIsWrong = (text: string): readonly string[] => {
  try {
    parsePolicyDocument(text, 'p.yaml');
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(({ where, what }) => `${where} ${what}`);
    throw error;
  }
};

describe('the YAML of a policy', () => {
  it('is refused when it is larger than 512 KiB, before it is parsed', () => {
    expect(whatIsWrong(`# ${'x'.repeat(512 * 1024)}`)).toEqual(['p.yaml the policy is larger than 512 KiB']);
  });

  it.each([
    ['lists in brackets', '['.repeat(20_000)],
    ['maps in braces', '{a: '.repeat(10_000)],
    ['lists in lines', `${'- '.repeat(10_000)}x`],
    ['maps in lines', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['keys of keys', `${'? '.repeat(10_000)}x`],
  ])('is refused when %s are nested deeply, without exhausting the stack', (_kind, text) => {
    const [problem, ...others] = whatIsWrong(text);
    expect(others).toEqual([]);
    expect(problem).toMatch(/^p\.yaml:\d+:\d+ nested more than 24 levels deep$/);
  });

  it('may be nested as deeply as a policy is', () => {
    expect(whatIsWrong(`${'['.repeat(20)}${']'.repeat(20)}`)).toEqual([]);
  });

  it('may have 24 levels, not 25, and the place of the 25th is told', () => {
    const nested = (levels: number): string => `a: 1\nb:\n  ${'['.repeat(levels)}x${']'.repeat(levels)}\n`;
    expect(whatIsWrong(nested(23))).toEqual([]);
    expect(whatIsWrong(nested(24))).toEqual(['p.yaml:3:27 nested more than 24 levels deep']);
    expect(whatIsWrong('{a: '.repeat(24) + '}'.repeat(24))).toEqual([]);
    expect(whatIsWrong('{a: '.repeat(25) + '}'.repeat(25))).toEqual(['p.yaml:1:98 nested more than 24 levels deep']);
  });

  it.each([
    ['a: [1,\n2]\n', /^p\.yaml:2:1 not valid YAML: /],
    ['!!str a: 1\n', /YAML tags and anchors are not allowed$/],
    ['&x a: 1\n', /YAML tags and anchors are not allowed$/],
    ['? [a]\n: 1\n', /a key must be text$/],
    ['a: !!str 1\n', /YAML tags \(!…\) are not allowed$/],
    ['%YAML 1.2\n---\na: 1\n', /^p\.yaml:1:1 YAML directives/],
    ['a: 1\na: 2\n', /^p\.yaml:2:1 not valid YAML: /],
  ])('is refused when it is %j', (text, problem) => {
    expect(whatIsWrong(text).join('\n')).toMatch(problem);
  });

  it('does not expand aliases, however many', () => {
    const laughs = Array.from({ length: 9 }, (_, i) => `a${i + 1}: [${Array(9).fill(`*a${i}`).join(', ')}]`);
    const problems = whatIsWrong(
      `a0: &a0 x\n${laughs.map((line, i) => line.replace(':', `: &a${i + 1}`)).join('\n')}\n`,
    );
    expect(problems.every((problem) => /anchors|aliases/.test(problem))).toBe(true);
    expect(problems.length).toBeGreaterThan(0);
  });

  it('gives the position of values, of keys and of places inside texts', () => {
    const document = parsePolicyDocument('a:\n  b: [x, "some text"]\n  c: |\n    folded\n', 'p.yaml');
    expect(document.value).toEqual({ a: { b: ['x', 'some text'], c: 'folded\n' } });
    expect(document.positionOf(['a', 'b', 1])).toBe('p.yaml:2:10');
    expect(document.positionOfKey(['a', 'b'])).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'b', 1], 5)).toBe('p.yaml:2:16');
    expect(document.positionInText(['a', 'c'], 3)).toBe(document.positionOf(['a', 'c']));
    expect(document.positionOf(['a', 'missing', 3])).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'missing'], 2)).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'b'], 2)).toBe('p.yaml:2:6');
  });
});
