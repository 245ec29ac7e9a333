import { describe, expect, it } from 'vitest';
import { loadPolicyTests } from '../../../../src/policy/trial/policy-test-document.ts';
import { ConfigurationError } from '../../../../src/problem.ts';
import { nameProblem } from '../../../support/sentences/name-sentence.ts';

const load = (text: string) => loadPolicyTests({ text, file: 'a.policy-test.yaml' });

function problems(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigurationError)
      return error.problems.map((problem) => nameProblem(problem, { withFix: true }));
    throw error;
  }
  return [];
}

describe('a file of policy tests', () => {
  it('may be one test', () => {
    const { tests } = load('name: it\nclaims: { sub: a }\nexpect: { denied: client_id_refused }\n');
    expect(tests).toEqual([
      {
        name: 'it',
        position: 'a.policy-test.yaml:1:1',
        claims: { sub: 'a' },
        expectation: { kind: 'denied', denial: { reason: 'client_id_refused' } },
      },
    ]);
  });

  it('may be a list of tests', () => {
    const { tests } = load('- { name: one, expect: denied }\n- { name: two, expect: { denied: true } }\n');
    expect(tests.map(({ name, position }) => [name, position])).toEqual([
      ['one', 'a.policy-test.yaml:1:3'],
      ['two', 'a.policy-test.yaml:2:3'],
    ]);
    expect(tests.map(({ expectation }) => expectation)).toEqual([
      { kind: 'denied', denial: {} },
      { kind: 'denied', denial: {} },
    ]);
  });

  it('may name its policy and the claims that its tests share', () => {
    const { policy, tests } = load(`
policy: ../policy.yaml
claims: { sub: a, org: acme, roles: [x] }
tests:
  - name: changed
    claims: { org: globex }
    without: [roles]
    dataApp: sales
    expect: { request: { clientId: globex } }
`);
    expect(policy).toBe('../policy.yaml');
    expect(tests[0]).toMatchObject({
      claims: { sub: 'a', org: 'globex' },
      dataApp: 'sales',
      expectation: { kind: 'request', body: { clientId: 'globex' } },
    });
    expect(tests[0]?.claims).not.toHaveProperty('roles');
  });

  it('may repeat a body with an alias', () => {
    const { tests } = load(`
- { name: one, expect: { request: &body { clientId: a } } }
- { name: two, expect: { request: *body } }
`);
    expect(tests[1]?.expectation).toEqual({ kind: 'request', body: { clientId: 'a' } });
  });

  it('keeps a merge key as an ordinary claim', () => {
    const { tests } = load('name: it\nclaims: { <<: { admin: true } }\nexpect: denied\n');
    expect(tests[0]?.claims).toEqual({ '<<': { admin: true } });
  });

  it('keeps a hostile claim name as an ordinary claim', () => {
    const { tests } = load('name: it\nclaims: { __proto__: { admin: true } }\nexpect: denied\n');
    expect(Object.keys(tests[0]?.claims ?? {})).toEqual(['__proto__']);
    expect((tests[0]?.claims as { admin?: unknown }).admin).toBeUndefined();
  });
});

describe('a file of policy tests is refused', () => {
  it.each<readonly [string, string, readonly string[]]>([
    [
      'a misspelt key of a test',
      'name: a\nexpcet: denied\nexpect: denied',
      [':2:1 unknownTestKey(expcet) → didYouMean(expect)'],
    ],
    [
      'a misspelt key of the file',
      'tets: []',
      [':1:1 unknownTestKey(tets) → didYouMean(tests)', ':1:1 noListOfTests → addTests'],
    ],
    [
      'a misspelt key of a denial',
      'name: a\nexpect: { denied: { raeson: x } }',
      [':2:21 unknownTestKey(raeson) → didYouMean(reason)'],
    ],
    [
      'another key next to request',
      'name: a\nexpect: { request: {}, body: {} }',
      [':2:24 unknownTestKey(body) → useKeys(request, denied)'],
    ],
    ['a test without a name', 'tests:\n  - expect: denied', [':2:5 testWithoutName → addName']],
    ['a number as name', 'name: 7\nexpect: denied', [':1:7 memberNotText(name) → writeText']],
    ['a test that expects nothing', 'name: a', [':1:1 testExpectsNothing → addExpect']],
    ['a test that expects both', 'name: a\nexpect: { request: {}, denied: true }', [':2:9 expectNeedsOne → keepOne']],
    ['an empty expectation', 'name: a\nexpect: {}', [':2:9 expectNeedsOne → keepOne']],
    [
      'an expectation of something else',
      'name: a\nexpect: permitted',
      [':2:9 memberNotMap(expect) → writeExpectation'],
    ],
    ['a body that is not a mapping', 'name: a\nexpect: { request: [1] }', [':2:20 memberNotMap(request) → writeBody']],
    ['a denial with the value false', 'name: a\nexpect: { denied: false }', [':2:19 deniedEmpty → writeDenial']],
    ['a number as reason', 'name: a\nexpect: { denied: { reason: 4 } }', [':2:29 memberNotText(reason) → writeText']],
    ['claims that are a list', 'name: a\nclaims: [sub]\nexpect: denied', [':2:9 memberNotMap(claims) → writeClaims']],
    [
      'an unknown claim in without',
      'name: a\nwithout: [org]\nexpect: denied',
      [':2:10 withoutUnknownClaim → removeOrCorrect'],
    ],
    [
      'a string as without',
      'name: a\nclaims: { a: 1 }\nwithout: a\nexpect: denied',
      [':3:10 withoutNotList → writeNames'],
    ],
    ['a list as data app', 'name: a\ndataApp: [x]\nexpect: denied', [':2:10 memberNotText(dataApp) → writeText']],
    ['a test that is not a mapping', 'tests: [x]', [':1:9 memberNotMap(a test) → writeTest']],
    ['a file without tests', 'policy: policy.yaml', [':1:1 noListOfTests → addTests']],
    ['an empty list of tests', 'tests: []', [':1:1 noTests → writeOneTest']],
    [
      'a misspelt kind of expectation',
      'name: a\nexpect: { requset: {} }',
      [':2:11 unknownTestKey(requset) → didYouMean(request)'],
    ],
    [
      'a test next to a list of tests',
      'name: a\ntests: [{ name: b, expect: denied }]',
      [':1:1 unknownTestKey(name) → useKeys(policy, claims, tests)'],
    ],
    [
      'a number as policy',
      'policy: 7\ntests: [{ name: b, expect: denied }]',
      [':1:9 memberNotText(policy) → writeText'],
    ],
    [
      'a number in without, after a string',
      'name: a\nclaims: { a: 1 }\nwithout: [a, 1]\nexpect: denied',
      [':3:10 withoutNotList → writeNames'],
    ],
    [
      'a number in without',
      'name: a\nclaims: { a: 1 }\nwithout: [1]\nexpect: denied',
      [':3:10 withoutNotList → writeNames'],
    ],
    [
      'members without values',
      'name:\nclaims:\nwithout:\ndataApp:\nexpect:',
      [
        ':1:6 memberNotText(name) → writeText',
        ':4:9 memberNotText(dataApp) → writeText',
        ':2:8 memberNotMap(claims) → writeClaims',
        ':3:9 withoutNotList → writeNames',
        ':5:8 memberNotMap(expect) → writeExpectation',
      ],
    ],
    ['a denial without a value', 'name: a\nexpect: { denied: }', [':2:19 deniedEmpty → writeDenial']],
    ['a request without a value', 'name: a\nexpect: { request: }', [':2:20 memberNotMap(request) → writeBody']],
    ['a number for a file', '7', [':1:1 noTests → writeTests']],
    ['an empty file', '', [':1:1 noTests → writeTests']],
    ['an unknown alias', 'name: a\nclaims: *gone\nexpect: denied', [':2:9 aliasWithoutAnchor → writeOut']],
    [
      'an alias inside its own anchor',
      'name: a\nexpect: denied\nclaims: { a: &a [*a] }',
      [':3:18 aliasesTooLarge → writeOut'],
    ],
    ['aliases that multiply', bomb(), [':5:22 aliasesTooLarge → writeOut']],
  ])('for %s', (_title, text, lines) => {
    expect(problems(text)).toEqual(lines.map((line) => `a.policy-test.yaml${line}`));
  });

  it.each([
    ['a list as key', 'name: a\n[b]: c\nexpect: denied', ':2:1 yamlKeyNotString'],
    ['a key that is a number', 'name: a\n7: c\nexpect: denied', ':2:1 yamlKeyNotString'],
    ['two members of the same name', 'name: a\nname: b\nexpect: denied', ':2:1 notYaml('],
    ['broken YAML', 'tests: [', ':1:9 notYaml('],
    ['a file that is too large', `# ${'x'.repeat(1_048_576)}`, ' fileTooLarge(1024)'],
  ])('at the position of %s', (_title, text, problem) => {
    expect(problems(text)).toEqual([expect.stringContaining(`a.policy-test.yaml${problem}`)]);
  });

  it('if it is larger than 1 MiB', () => {
    const text = 'name: a\nexpect: denied\n#';
    expect(problems(text.padEnd(1_048_576, 'x'))).toEqual([]);
    expect(problems(text.padEnd(1_048_577, 'x'))).toHaveLength(1);
  });

  it('with all its problems at once', () => {
    expect(problems('- { name: 1, expect: denied }\n- { name: b, expect: {} }\n')).toHaveLength(2);
  });
});

function bomb(): string {
  const level = (name: string, of: string): string => `  ${name}: &${name} [${Array(10).fill(`*${of}`).join(', ')}]\n`;
  return `name: a\nexpect: denied\nclaims:\n  a: &a [x]\n${level('b', 'a')}${level('c', 'b')}${level('d', 'c')}${level('e', 'd')}${level('f', 'e')}`;
}
