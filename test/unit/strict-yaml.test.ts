import { describe, expect, it } from 'vitest';
import { parseStrictYaml } from '../../src/strict-yaml.ts';
import { ConfigurationError, type Problem } from '../../src/problem.ts';
import { nameProblem } from '../support/sentences/name-sentence.ts';

const problemsOf = (text: string): readonly Problem[] => {
  try {
    parseStrictYaml({ text, file: 'p.yaml', maxKibibytes: 512 });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
};
const whatIsWrong = (text: string): readonly string[] => problemsOf(text).map((problem) => nameProblem(problem));

describe('the YAML of a policy', () => {
  it('is refused before it is parsed if it is larger than 512 KiB', () => {
    expect(whatIsWrong(`#${'x'.repeat(512 * 1024 - 1)}`)).toEqual([]);
    expect(whatIsWrong(`#${'x'.repeat(512 * 1024)}`)).toEqual(['p.yaml fileTooLarge(512)']);
  });

  it.each([
    ['lists in brackets', '['.repeat(20_000)],
    ['maps in braces', '{a: '.repeat(10_000)],
    ['lists in lines', `${'- '.repeat(10_000)}x`],
    ['maps in lines', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['keys of keys', `${'? '.repeat(10_000)}x`],
  ])('is refused if %s are nested deeply, and the stack is not exhausted', (_kind, text) => {
    const [problem, ...others] = whatIsWrong(text);
    expect(others).toEqual([]);
    expect(problem).toMatch(/^p\.yaml:\d+:\d+ yamlTooDeep\(24\)$/);
  });

  it('may be nested as deeply as a policy needs', () => {
    expect(whatIsWrong(`${'['.repeat(20)}${']'.repeat(20)}`)).toEqual([]);
  });

  it('may have 24 levels of nesting, and the position of the 25th level is reported', () => {
    const nested = (levels: number): string => `a: 1\nb:\n  ${'['.repeat(levels)}x${']'.repeat(levels)}\n`;
    expect(whatIsWrong(nested(23))).toEqual([]);
    expect(whatIsWrong(nested(24))).toEqual(['p.yaml:3:27 yamlTooDeep(24)']);
    expect(whatIsWrong(`\n\n${nested(24)}`)).toEqual(['p.yaml:5:27 yamlTooDeep(24)']);
    expect(whatIsWrong('{a: '.repeat(24) + '}'.repeat(24))).toEqual([]);
    expect(whatIsWrong('{a: '.repeat(25) + '}'.repeat(25))).toEqual(['p.yaml:1:98 yamlTooDeep(24)']);
  });

  it.each([
    ['a: [1,\n2]\n', /^p\.yaml:2:1 notYaml\(/],
    ['!!str a: 1\n', / yamlTagAtKey$/],
    ['&x a: 1\n', / yamlTagAtKey$/],
    ['? [a]\n: 1\n', / yamlKeyNotString$/],
    ['a: !!str 1\n', / yamlTag$/],
    ['%YAML 1.2\n---\na: 1\n', /^p\.yaml:1:1 yamlDirective/],
    ['%YAML 1.2\n---\n', /^p\.yaml:1:1 yamlDirective/],
    ['%YAML 1.2\n--- # nothing\n', /^p\.yaml:1:1 yamlDirective/],
    ['# first\n%YAML 1.1\n---\na: 1\n', /^p\.yaml:1:1 yamlDirective/],
    ['%TAG ! tag:example.com,2000:\n---\na: 1\n', /^p\.yaml:1:1 yamlDirective/],
    ['\ufeff%YAML 1.1\n---\na: yes\n', / yamlDirective/],
    ['%OTHER\n---\na: 1\n', / yamlDirective/],
    ['a: 1\na: 2\n', /^p\.yaml:2:1 notYaml\(/],
  ])('is refused if it is %j', (text, problem) => {
    expect(whatIsWrong(text).join('\n')).toMatch(problem);
  });

  it('may contain percent signs', () => {
    expect(whatIsWrong('a: "x\n  %y"\n')).toEqual([]);
    expect(whatIsWrong('{ a: "x\n%y" }\n')).toEqual([]);
    expect(whatIsWrong('# 100 % of it\na: 5%\nb: "%"\nc: |\n  %d\n')).toEqual([]);
  });

  it('is refused with every duplicate key, but with one syntax problem, because later ones are guesses', () => {
    expect(whatIsWrong('a: [1,\n2]\n')).toEqual([
      'p.yaml:2:1 notYaml(Flow sequence in block collection must be sufficiently indented and end with a ])',
    ]);
    expect(whatIsWrong('a: ${x ? "y" : "z"}\nb: {a: ${x}, c: d}\n')).toEqual([
      'p.yaml:1:4 notYaml(Nested mappings are not allowed in compact mappings)',
    ]);
    expect(whatIsWrong('a: 1\na: 2\nb: 1\nb: 2\n')).toEqual([
      'p.yaml:2:1 notYaml(Map keys must be unique)',
      'p.yaml:4:1 notYaml(Map keys must be unique)',
    ]);
  });

  it.each(['a: "\\q-secret"\n', 'a: !secret 1\n', 'a: [secret, b\n} secret\n', 'a: "x" secret\n', '- a\nsecret: 1\n'])(
    'is refused without the text around the problem, which may be a secret: %j',
    (text) => {
      const problems = whatIsWrong(text);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join('\n')).not.toContain('secret');
    },
  );

  it.each(['clientId: {{claims.org_id}}\n', 'clientId: {{ claims.org_id }}\n'])(
    'is refused with the correct form of the braces of other tools: %j',
    (text) => {
      expect(problemsOf(text)).toMatchObject([{ location: 'p.yaml:1:11', fix: 'Write ${claims.org_id}' }]);
    },
  );

  it('must not contain lone surrogates', () => {
    expect(whatIsWrong('a: "\\ud83d"\n')).toEqual(['p.yaml:1:4 yamlLoneSurrogate']);
    expect(whatIsWrong('"\\ud83d": 1\n')).toEqual(['p.yaml:1:1 yamlKeyLoneSurrogate']);
    expect(whatIsWrong('a: "\\U0001f600"\n')).toEqual([]);
  });

  it('is parsed without expanding aliases, however many there are', () => {
    const laughs = Array.from({ length: 9 }, (_, i) => `a${i + 1}: [${Array(9).fill(`*a${i}`).join(', ')}]`);
    const problems = whatIsWrong(
      `a0: &a0 x\n${laughs.map((line, i) => line.replace(':', `: &a${i + 1}`)).join('\n')}\n`,
    );
    expect(problems.every((problem) => /yamlAnchor|yamlAlias/.test(problem))).toBe(true);
    expect(problems.length).toBeGreaterThan(0);
  });

  it('has positions for values, keys and offsets inside strings', () => {
    const document = parseStrictYaml({
      text: 'a:\n  b: [x, "some text"]\n  c: |\n    folded\n',
      file: 'p.yaml',
      maxKibibytes: 512,
    });
    expect(document.value).toEqual({ a: { b: ['x', 'some text'], c: 'folded\n' } });
    expect(document.positionOf(['a', 'b', 1])).toBe('p.yaml:2:10');
    expect(document.positionOfKey(['a', 'b'])).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'b', 1], 5)).toBe('p.yaml:2:16');
    expect(document.positionInText(['a', 'c'], 3)).toBe(document.positionOf(['a', 'c']));
    expect(document.positionOf(['a', 'missing', 3])).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'missing'], 2)).toBe('p.yaml:2:3');
    expect(document.positionInText(['a', 'b'], 2)).toBe('p.yaml:2:6');
    const flow = parseStrictYaml({ text: '{ a: 1, b, c: }', file: 'p.yaml', maxKibibytes: 512 });
    expect(flow.value).toEqual({ a: 1, b: null, c: null });
    expect(flow.positionOf(['b'])).toBe('p.yaml:1:9');
    expect(flow.positionOf(['b', 'more'])).toBe('p.yaml:1:9');
  });
});
