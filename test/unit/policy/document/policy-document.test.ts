import { describe, expect, it } from 'vitest';
import { parsePolicyDocument } from '../../../../src/policy/document/policy-document.ts';
import { ConfigurationError } from '../../../../src/problem.ts';

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
    expect(whatIsWrong(`#${'x'.repeat(512 * 1024 - 1)}`)).toEqual([]);
    expect(whatIsWrong(`#${'x'.repeat(512 * 1024)}`)).toEqual(['p.yaml the policy is larger than 512 KiB']);
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
    expect(whatIsWrong(`\n\n${nested(24)}`)).toEqual(['p.yaml:5:27 nested more than 24 levels deep']);
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
    ['%YAML 1.2\n---\n', /^p\.yaml:1:1 YAML directives/],
    ['%YAML 1.2\n--- # nothing\n', /^p\.yaml:1:1 YAML directives/],
    ['# first\n%YAML 1.1\n---\na: 1\n', /^p\.yaml:1:1 YAML directives/],
    ['%TAG ! tag:example.com,2000:\n---\na: 1\n', /^p\.yaml:1:1 YAML directives/],
    ['\ufeff%YAML 1.1\n---\na: yes\n', /YAML directives/],
    ['%OTHER\n---\na: 1\n', /YAML directives/],
    ['a: 1\na: 2\n', /^p\.yaml:2:1 not valid YAML: /],
  ])('is refused when it is %j', (text, problem) => {
    expect(whatIsWrong(text).join('\n')).toMatch(problem);
  });

  it('may speak of percentages', () => {
    expect(whatIsWrong('a: "x\n  %y"\n')).toEqual([]);
    expect(whatIsWrong('{ a: "x\n%y" }\n')).toEqual([]);
    expect(whatIsWrong('# 100 % of it\na: 5%\nb: "%"\nc: |\n  %d\n')).toEqual([]);
  });

  it('is told in words of one line, without the text around', () => {
    expect(whatIsWrong('a: [1,\n2]\n')).toEqual([
      'p.yaml:2:1 not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
      'p.yaml:2:1 not valid YAML: Implicit map keys need to be followed by map values',
    ]);
    expect(whatIsWrong('a: 1\na: 2\n')).toEqual(['p.yaml:2:1 not valid YAML: Map keys must be unique']);
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
    const flow = parsePolicyDocument('{ a: 1, b, c: }', 'p.yaml');
    expect(flow.value).toEqual({ a: 1, b: null, c: null });
    expect(flow.positionOf(['b'])).toBe('p.yaml:1:9');
    expect(flow.positionOf(['b', 'more'])).toBe('p.yaml:1:9');
  });
});
