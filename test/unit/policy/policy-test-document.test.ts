import { describe, expect, it } from 'vitest';
import { loadPolicyTests } from '../../../src/policy/policy-test-document.ts';
import { ConfigurationError, toLine } from '../../../src/problem.ts';

const load = (text: string) => loadPolicyTests({ text, file: 'a.policy-test.yaml' });

function problems(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(toLine);
    throw error;
  }
  return [];
}

describe('a file of policy tests', () => {
  it('is one test', () => {
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

  it('is a list of tests', () => {
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

  it('names its policy and the claims that its tests share', () => {
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

  it('may repeat a body by an alias', () => {
    const { tests } = load(`
- { name: one, expect: { request: &body { clientId: a } } }
- { name: two, expect: { request: *body } }
`);
    expect(tests[1]?.expectation).toEqual({ kind: 'request', body: { clientId: 'a' } });
  });

  it('keeps a hostile claim name as an ordinary claim', () => {
    const { tests } = load('name: it\nclaims: { __proto__: { admin: true } }\nexpect: denied\n');
    expect(Object.keys(tests[0]?.claims ?? {})).toEqual(['__proto__']);
    expect((tests[0]?.claims as { admin?: unknown }).admin).toBeUndefined();
  });
});

describe('a file of policy tests is refused', () => {
  it.each([
    [
      'a misspelt key of a test',
      'name: a\nexpcet: denied\nexpect: denied',
      ':2:1: "expcet" is not a key here. Did you mean expect.',
    ],
    ['a misspelt key of the file', 'tets: []', ':1:1: "tets" is not a key here. Did you mean tests.'],
    [
      'a misspelt key of a denial',
      'name: a\nexpect: { denied: { raeson: x } }',
      '"raeson" is not a key here. Did you mean reason.',
    ],
    ['another key beside request', 'name: a\nexpect: { request: {}, body: {} }', '"body" is not a key here.'],
    ['a test without a name', 'tests:\n  - expect: denied', ':2:5: the test has no name.'],
    ['a name that is not text', 'name: 7\nexpect: denied', ':1:7: name is not text.'],
    ['a test that expects nothing', 'name: a', 'the test expects nothing.'],
    [
      'a test that expects both',
      'name: a\nexpect: { request: {}, denied: true }',
      'expect needs either request or denied.',
    ],
    ['an empty expectation', 'name: a\nexpect: {}', 'expect needs either request or denied.'],
    ['an expectation of something else', 'name: a\nexpect: permitted', 'expect is not a mapping.'],
    ['a body that is not a mapping', 'name: a\nexpect: { request: [1] }', 'request is not a mapping.'],
    ['a denial that says no', 'name: a\nexpect: { denied: false }', 'denied says nothing.'],
    ['a reason that is not text', 'name: a\nexpect: { denied: { reason: 4 } }', 'reason is not text.'],
    ['claims that are a list', 'name: a\nclaims: [sub]\nexpect: denied', 'claims are not a mapping.'],
    [
      'a claim to leave out that is not there',
      'name: a\nwithout: [org]\nexpect: denied',
      'without names a claim that is not there.',
    ],
    [
      'a claim to leave out as text',
      'name: a\nclaims: { a: 1 }\nwithout: a\nexpect: denied',
      'without is not a list of claim names.',
    ],
    ['a data app that is not text', 'name: a\ndataApp: [x]\nexpect: denied', 'dataApp is not text.'],
    ['a test that is not a mapping', 'tests: [x]', 'a test is not a mapping.'],
    ['a file without tests', 'policy: policy.yaml', 'there is no list of tests.'],
    ['an empty list of tests', 'tests: []', 'there are no tests.'],
    ['an empty file', '', 'there are no tests.'],
    ['two members of the same name', 'name: a\nname: b\nexpect: denied', 'is not YAML'],
    ['broken YAML', 'tests: [', 'is not YAML'],
    ['an alias to nothing', 'name: a\nclaims: *gone\nexpect: denied', 'a.policy-test.yaml:2:'],
    ['an alias that multiplies', bomb(), 'uses an alias that cannot be resolved.'],
    ['a file beyond all measure', `# ${'x'.repeat(1_048_576)}`, 'is larger than 1 MiB.'],
  ])('for %s', (_title, text, line) => {
    const lines = problems(text);
    expect(lines).not.toEqual([]);
    expect(lines.join('\n')).toContain(line);
  });

  it('with all its problems at once', () => {
    expect(problems('- { name: 1, expect: denied }\n- { name: b, expect: {} }\n')).toHaveLength(2);
  });
});

function bomb(): string {
  const level = (name: string, of: string): string => `  ${name}: &${name} [${Array(10).fill(`*${of}`).join(', ')}]\n`;
  return `name: a\nexpect: denied\nclaims:\n  a: &a [x]\n${level('b', 'a')}${level('c', 'b')}${level('d', 'c')}${level('e', 'd')}`;
}
