import { describe, expect, it } from 'vitest';
import { parseStrictYaml } from '../../../../src/strict-yaml.ts';
import { pathText, structureProblems } from '../../../../src/policy/document/structure-problems.ts';

const problemsOf = (text: string): readonly string[] =>
  structureProblems(parseStrictYaml({ text: text, file: 'p.yaml', maxKibibytes: 512 })).map(
    ({ location, problem, fix }) => `${location} ${problem}. ${fix}`,
  );

const inDataApp = (line: string, name = 'sales'): readonly string[] =>
  problemsOf(`version: 1\ndataApps:\n  ${name}:\n    ${line}\n`);
const inRequest = (members: string): readonly string[] =>
  inDataApp(`{ expiresIn: 1h, request: { clientId: a, ${members} } }`);

const duration = 'a duration such as 30s, 15m, 1h or 7d';
const anyText = 'a string that is not empty, or exactly one ${ … } (there is no string interpolation)';
const mustBe = (path: string, description: string, shown: string, fix = `Write ${description}`): string =>
  `${path} must be ${description}, not ${shown}. ${fix}`;

describe('what is wrong with the structure, where, and its mend', () => {
  it.each([
    ['', 'nothing'],
    ['[]', 'an empty list'],
    ['[1]', 'a list'],
    ['policy', '"policy"'],
    ['true', 'true'],
  ])('of the whole: %s', (text, shown) => {
    const [first, ...others] = problemsOf(text);
    expect(others).toEqual([]);
    expect(first).toContain(`p.yaml:1:1 the policy must be a map with version and dataApps, not ${shown}. `);
  });

  it.each([
    ['3', '3'],
    ['{}', 'an empty map'],
    ['{ a: b }', 'a map'],
    ["''", '""'],
    [`"${'y'.repeat(60)}"`, `"${'y'.repeat(60)}"`],
    [`"${'y'.repeat(61)}"`, `"${'y'.repeat(57)}…"`],
  ])('shows what is there, cut to a line: %s', (value, shown) => {
    const [first] = inDataApp(`{ expiresIn: ${value}, request: { clientId: a } }`);
    expect(first).toContain(`must be a duration such as 30s, 15m, 1h or 7d, not ${shown}. `);
  });

  it('says that there is no entry', () => {
    expect(problemsOf('version: 1\ndataApps: {}\n')).toEqual([
      expect.stringContaining('with at least one entry, not an empty map. '),
    ]);
  });

  it.each([
    ['"2024"', 'dataApps.2024'],
    ['"0"', 'dataApps.0'],
    ['a/b~c~1~0d', 'dataApps.a/b~c~1~0d'],
    ['../..', 'dataApps.../..'],
  ])('finds the place below a data app named %s', (name, path) => {
    expect(inDataApp('{ expiresIn: x, request: { clientId: a } }', name)).toEqual([
      `p.yaml:4:18 ${mustBe(`${path}.expiresIn`, duration, '"x"')}`,
    ]);
  });

  it('finds the place in a list', () => {
    expect(inRequest('params: { hideDashboardFilters: [a, {}] }')).toEqual([
      `p.yaml:4:82 ${mustBe('dataApps.sales.request.params.hideDashboardFilters[1]', anyText, 'an empty map')}`,
    ]);
  });

  it('offers quotes around a number or boolean where a text would be right', () => {
    const path = 'dataApps.sales.request.datasourceName';
    expect(inRequest('datasourceName: 5')).toEqual([
      `p.yaml:4:62 ${mustBe(path, anyText, '5', 'Put quotes around 5 if it is a string')}`,
    ]);
    expect(inRequest('datasourceName: false')).toEqual([
      `p.yaml:4:62 ${mustBe(path, anyText, 'false', 'Put quotes around false if it is a string')}`,
    ]);
    expect(inDataApp('{ expiresIn: 5, request: { clientId: a } }')).toEqual([
      `p.yaml:4:18 ${mustBe('dataApps.sales.expiresIn', duration, '5')}`,
    ]);
    expect(inRequest('datasourceName: [5]')).toEqual([`p.yaml:4:62 ${mustBe(path, anyText, 'a list')}`]);
  });

  it('does not offer quotes where a text is no better, or where a number may stand', () => {
    const flag = 'true, false or exactly one ${ … }';
    expect(inRequest('permissions: { isShowSideBar: 5 }')).toEqual([
      `p.yaml:4:76 ${mustBe('dataApps.sales.request.permissions.isShowSideBar', flag, '5')}`,
    ]);
    expect(
      inRequest('params: { dashboardAppFilters: [{ dashboardId: d, values: { a: { min: true, max: 1 } } }] }'),
    ).toEqual([
      `p.yaml:4:116 ${mustBe('dataApps.sales.request.params.dashboardAppFilters[0].values.a.min', 'a number or exactly one ${ … }', 'true')}`,
    ]);
    expect(problemsOf('version: 2\ndataApps: { a: { expiresIn: 1h, request: { clientId: a } } }')).toEqual([
      `p.yaml:1:10 ${mustBe('version', '1', '2')}`,
    ]);
  });

  it.each(['a ${claims.b}', '${a}${b}', '${a} ', ' ${a}', '${a', '${a}\n'])(
    'says that there is no string interpolation: %j',
    (text) => {
      const fix =
        'There is no string interpolation: write exactly one ${ … } and nothing around it; join strings inside it with +';
      const [first, ...others] = inRequest(`datasourceName: ${JSON.stringify(text)}`);
      expect(others).toEqual([]);
      expect(first).toMatch(/, not ".*"\. /s);
      expect(first?.endsWith(fix)).toBe(true);
    },
  );

  it('does not speak of interpolation where an expression as such is not allowed', () => {
    expect(inDataApp('{ expiresIn: "${claims.life}", request: { clientId: a } }')).toEqual([
      `p.yaml:4:18 ${mustBe('dataApps.sales.expiresIn', duration, '"${claims.life}"')}`,
    ]);
    expect(inDataApp('{ expiresIn: "${\n\n    claims.life}", request: { clientId: a } }').join()).toContain(
      'Write a duration',
    );
  });

  it('names the nearest key, or those that are known', () => {
    expect(inRequest('parms: 1')).toEqual([
      'p.yaml:4:46 unknown key "parms" in dataApps.sales.request. Did you mean params',
    ]);
    expect(inRequest('xyz: 1')).toEqual([
      'p.yaml:4:46 unknown key "xyz" in dataApps.sales.request. Known here: clientId, datasourceName, params, permissions',
    ]);
  });

  it('says what is missing, and what to add', () => {
    expect(problemsOf('dataApps: { a: { expiresIn: 1h, request: { clientId: a } } }')).toEqual([
      'p.yaml:1:1 "version" is missing in the policy. Add version: 1',
    ]);
    expect(inDataApp('{ request: { clientId: a } }')).toEqual([
      'p.yaml:3:3 "expiresIn" is missing in dataApps.sales. Add expiresIn: a duration such as 30s, 15m, 1h or 7d',
    ]);
    expect(inRequest('params: { appFilters: [{ metricId: m, values: { a: { sql: s } } }] }')).toContain(
      'p.yaml:4:94 "columnName" is missing in dataApps.sales.request.params.appFilters[0].values.a. Add columnName: a constant string: SQL is never built from an expression',
    );
  });

  it('says of a name that cannot be one what a name is', () => {
    expect(
      problemsOf('version: 1\nvariables: { 1a: b }\ndataApps: { "${a}": { expiresIn: 1h, request: { clientId: a } } }'),
    ).toEqual([
      'p.yaml:2:14 the key "1a" in variables is not a name of letters, digits and _. Write a name of letters, digits and _',
      'p.yaml:3:13 the key "${a}" in dataApps is not the name of a data app, without ${ … }. Write the name of a data app, without ${ … }',
    ]);
  });

  it('refuses what may be meant as SQL built from an expression', () => {
    expect(inRequest('params: { appFilters: [{ metricId: m, values: { sql: "${claims.x}" } }] }')).toEqual([
      'p.yaml:4:99 dataApps.sales.request.params.appFilters[0].values.sql must be constant: SQL is never built from an expression. Write a constant, or rename the filter',
    ]);
  });

  it('says everything at once, and nothing twice', () => {
    const found = problemsOf('version: 2\nmore: 1\ndataApps: { a: { expiresIn: 5, request: { clientId: 5 } } }');
    expect(found).toHaveLength(4);
    expect(new Set(found).size).toBe(4);
    const twice = inDataApp(
      `{ expiresIn: 1h, request: { clientId: a }, validations: [{ expression: x, message: "\${${'x'.repeat(600)}" }] }`,
    );
    expect(twice).toHaveLength(1);
    const nested = inRequest('params: { dashboardAppFilters: [{ dashboardId: d, values: { a: { sql: s } } }] }');
    expect(new Set(nested).size).toBe(nested.length);
    expect(nested.filter((line) => line.includes('"columnName" is missing'))).toHaveLength(1);
  });
});

describe('pathText', () => {
  it('writes members with dots and places in lists in brackets', () => {
    expect(pathText([])).toBe('the policy');
    expect(pathText(['dataApps', 'a.b', 'params', 0, 'values'])).toBe('dataApps.a.b.params[0].values');
    expect(pathText(['2024', 12])).toBe('2024[12]');
    expect(pathText([0, 'a'])).toBe('[0].a');
  });
});
