import { describe, expect, it } from 'vitest';
import { parseStrictYaml } from '../../../../src/strict-yaml.ts';
import type { Problem } from '../../../../src/problem.ts';
import { nameProblem } from '../../../support/sentences/name-sentence.ts';
import { pathText, structureProblems } from '../../../../src/policy/document/structure-problems.ts';

const problemsOf = (text: string): readonly string[] =>
  structureProblems(parseStrictYaml({ text: text, file: 'p.yaml', maxKibibytes: 512 })).map((problem) =>
    nameProblem(problem, { withFix: !isPlainFix(problem) }),
  );

const inDataApp = (line: string, name = 'sales'): readonly string[] =>
  problemsOf(`version: 1\ndataApps:\n  ${name}:\n    ${line}\n`);
const inRequest = (members: string): readonly string[] =>
  inDataApp(`{ expiresIn: 1h, request: { clientId: a, ${members} } }`);

/** Usually the fix names the required value or key. It never repeats the present value. */
function isPlainFix({ problem, fix }: Problem): boolean {
  const description = /^Write (.+)$/s.exec(fix)?.[1];
  if (description === undefined) return false;
  return problem.includes(` must be ${description}, not `) || problem.endsWith(` is not ${description}`);
}

describe('a problem of the structure', () => {
  it.each([
    ['', 'nothing'],
    ['[]', 'an empty list'],
    ['[1]', 'a list'],
    ['policy', '"policy"'],
    ['true', 'true'],
  ])('is reported for the whole file: %s', (text, shown) => {
    const [first, ...others] = problemsOf(text);
    expect(others).toEqual([]);
    expect(first).toBe(`p.yaml:1:1 notPolicy(${shown})`);
  });

  it.each([
    ['3', '3'],
    ['{}', 'an empty map'],
    ['{ a: b }', 'a map'],
    ["''", '""'],
    [`"${'y'.repeat(60)}"`, `"${'y'.repeat(60)}"`],
    [`"${'y'.repeat(61)}"`, `"${'y'.repeat(57)}…"`],
  ])('shows the present value, shortened to one line: %s', (value, shown) => {
    const [first] = inDataApp(`{ expiresIn: ${value}, request: { clientId: a } }`);
    expect(first).toBe(`p.yaml:4:18 notDuration(dataApps.sales.expiresIn, ${shown})`);
  });

  it('is a missing entry', () => {
    expect(problemsOf('version: 1\ndataApps: {}\n')).toEqual(['p.yaml:2:11 notDataApps(dataApps, an empty map)']);
  });

  it.each([
    ['"2024"', 'dataApps.2024'],
    ['"0"', 'dataApps.0'],
    ['a/b~c~1~0d', 'dataApps.a/b~c~1~0d'],
    ['../..', 'dataApps.../..'],
  ])('has the right position below a data app named %s', (name, path) => {
    expect(inDataApp('{ expiresIn: x, request: { clientId: a } }', name)).toEqual([
      `p.yaml:4:18 notDuration(${path}.expiresIn, "x")`,
    ]);
  });

  it('has the right position in a list', () => {
    expect(inRequest('params: { hideDashboardFilters: [a, {}] }')).toEqual([
      'p.yaml:4:82 mustBeText(dataApps.sales.request.params.hideDashboardFilters[1], an empty map)',
    ]);
  });

  it('suggests quotes around a number or boolean if a string would be valid', () => {
    const path = 'dataApps.sales.request.datasourceName';
    expect(inRequest('datasourceName: 5')).toEqual([`p.yaml:4:62 mustBeText(${path}, 5) → quoteText(5)`]);
    expect(inRequest('datasourceName: false')).toEqual([`p.yaml:4:62 mustBeText(${path}, false) → quoteText(false)`]);
    expect(inDataApp('{ expiresIn: 5, request: { clientId: a } }')).toEqual([
      'p.yaml:4:18 notDuration(dataApps.sales.expiresIn, 5)',
    ]);
    expect(inRequest('datasourceName: [5]')).toEqual([`p.yaml:4:62 mustBeText(${path}, a list)`]);
  });

  it('suggests no quotes if a string is invalid too, or if a number is valid', () => {
    expect(inRequest('permissions: { isShowSideBar: 5 }')).toEqual([
      'p.yaml:4:76 notFlag(dataApps.sales.request.permissions.isShowSideBar, 5)',
    ]);
    expect(
      inRequest('params: { dashboardAppFilters: [{ dashboardId: d, values: { a: { min: true, max: 1 } } }] }'),
    ).toEqual(['p.yaml:4:116 mustBeNumber(dataApps.sales.request.params.dashboardAppFilters[0].values.a.min, true)']);
    expect(problemsOf('version: 2\ndataApps: { a: { expiresIn: 1h, request: { clientId: a } } }')).toEqual([
      'p.yaml:1:10 wrongVersion(2)',
    ]);
  });

  it.each(['a ${claims.b}', '${a}${b}', '${a} ', ' ${a}', '${a', '${a}\n'])(
    'explains that there is no string interpolation: %j',
    (text) => {
      const [first, ...others] = inRequest(`datasourceName: ${JSON.stringify(text)}`);
      expect(others).toEqual([]);
      expect(first).toMatch(/ mustBeText\(dataApps\.sales\.request\.datasourceName, ".*"\) → noInterpolation$/s);
    },
  );

  it('does not mention interpolation where no expression is allowed', () => {
    expect(inDataApp('{ expiresIn: "${claims.life}", request: { clientId: a } }')).toEqual([
      'p.yaml:4:18 notDuration(dataApps.sales.expiresIn, "${claims.life}")',
    ]);
    expect(inDataApp('{ expiresIn: "${\n\n    claims.life}", request: { clientId: a } }')).toEqual([
      'p.yaml:4:18 notDuration(dataApps.sales.expiresIn, "${\nclaims.life}")',
    ]);
  });

  it('suggests the most similar key, or lists the known keys', () => {
    expect(inRequest('parms: 1')).toEqual([
      'p.yaml:4:46 unknownKey(parms, dataApps.sales.request) → didYouMean(params)',
    ]);
    expect(inRequest('xyz: 1')).toEqual([
      'p.yaml:4:46 unknownKey(xyz, dataApps.sales.request) → knownKeys(clientId, datasourceName, params, permissions)',
    ]);
  });

  it('names what is missing and what to add', () => {
    expect(problemsOf('dataApps: { a: { expiresIn: 1h, request: { clientId: a } } }')).toEqual([
      'p.yaml:1:1 missingKey(version, the policy) → addKey(version, 1)',
    ]);
    expect(inDataApp('{ request: { clientId: a } }')).toEqual([
      expect.stringContaining('p.yaml:3:3 missingKey(expiresIn, dataApps.sales) → addKey(expiresIn, a duration '),
    ]);
    expect(inRequest('params: { appFilters: [{ metricId: m, values: { a: { sql: s } } }] }')).toContainEqual(
      expect.stringContaining(
        'p.yaml:4:94 missingKey(columnName, dataApps.sales.request.params.appFilters[0].values.a) → addKey(columnName, a ',
      ),
    );
  });

  it('describes a valid name', () => {
    expect(
      problemsOf('version: 1\nvariables: { 1a: b }\ndataApps: { "${a}": { expiresIn: 1h, request: { clientId: a } } }'),
    ).toEqual(['p.yaml:2:14 invalidVariableName("1a", variables)', 'p.yaml:3:13 invalidDataAppName("${a}", dataApps)']);
  });

  it('includes text that may be meant as SQL with an expression', () => {
    expect(inRequest('params: { appFilters: [{ metricId: m, values: { sql: "${claims.x}" } }] }')).toEqual([
      'p.yaml:4:99 sqlNameNotConstant(dataApps.sales.request.params.appFilters[0].values.sql) → writeConstant',
    ]);
  });

  it('is reported once, together with all others', () => {
    const found = problemsOf('version: 2\nmore: 1\ndataApps: { a: { expiresIn: 5, request: { clientId: 5 } } }');
    expect(found).toHaveLength(4);
    expect(new Set(found).size).toBe(4);
    const twice = inDataApp(
      `{ expiresIn: 1h, request: { clientId: a }, validations: [{ expression: x, message: "\${${'x'.repeat(600)}" }] }`,
    );
    expect(twice).toHaveLength(1);
    const nested = inRequest('params: { dashboardAppFilters: [{ dashboardId: d, values: { a: { sql: s } } }] }');
    expect(new Set(nested).size).toBe(nested.length);
    expect(nested.filter((line) => line.includes('missingKey(columnName'))).toHaveLength(1);
  });
});

describe('pathText', () => {
  it('writes members with dots and list indexes in brackets', () => {
    expect(pathText([])).toBe('the policy');
    expect(pathText(['dataApps', 'a.b', 'params', 0, 'values'])).toBe('dataApps.a.b.params[0].values');
    expect(pathText(['2024', 12])).toBe('2024[12]');
    expect(pathText([0, 'a'])).toBe('[0].a');
  });
});
