import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explanationLines } from '../../../../src/policy/trial/explanation-lines.ts';
import { explainDecision } from '../../../../src/policy/trial/explain-decision.ts';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';

const policy = loadPolicy({
  file: 'policy.yaml',
  maxLifetimeSeconds: 86_400,
  text: `
version: 1
variables:
  roles: 'has(claims.realm_access) ? claims.realm_access.roles : []'
  isAdmin: '"admin" in variables.roles'
dataApps:
  sales:
    default: true
    apiKey: SALES
    validations:
      - expression: claims.verified == true
        message: Verify first.
    expiresIn: 1h
    request:
      clientId: \${claims["https://example.com/org.id"]}
      params:
        userIdentifier: jo
        allowedEmbeds: [overview, "\${claims.embed}"]
        appFilters:
          - when: "!variables.isAdmin"
            metricId: revenue
            values: { regions: "\${claims.regions}", paid: true }
      permissions:
        isEnableDownloadMetrics: \${variables.isAdmin}
`,
});

const claims = {
  'https://example.com/org.id': 'acme',
  verified: true,
  embed: 'costs',
  regions: ['north', 'east'],
  realm_access: { roles: ['viewer'] },
};

const explained = (changes: Record<string, unknown> = {}, dataApp?: string) =>
  explainDecision(policy, { ...claims, ...changes }, dataApp, 0);

describe('the explanation of a permit', () => {
  const { body, fields, rules, ...rest } = explained();

  it('contains the exact request body', () => {
    expect(body).toEqual({
      clientId: 'acme',
      dataAppName: 'sales',
      params: {
        userIdentifier: 'jo',
        allowedEmbeds: ['overview', 'costs'],
        appFilters: [{ metricId: 'revenue', values: { regions: ['north', 'east'], paid: true } }],
      },
      permissions: { isEnableDownloadMetrics: false },
      expiryTime: 3_600_000,
    });
  });

  it('names the policy, the data app and the setting of the key', () => {
    expect(rest).toEqual({
      policy: { file: 'policy.yaml', revision: policy.revision },
      decision: 'permit',
      dataApp: 'sales',
      apiKey: 'DATABRAIN_API_KEY_SALES',
      requestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it('contains the expression, its position, the claims and the value of each field', () => {
    expect(fields).toContainEqual({
      path: 'clientId',
      value: 'acme',
      expression: 'claims["https://example.com/org.id"]',
      position: 'policy.yaml:15:17',
      claims: [{ name: 'https://example.com/org.id', value: 'acme' }],
    });
    expect(fields).toContainEqual({
      path: 'params.appFilters[0].values.regions',
      value: ['north', 'east'],
      expression: 'claims.regions',
      position: 'policy.yaml:22:32',
      claims: [{ name: 'regions', value: ['north', 'east'] }],
    });
    expect(fields).toContainEqual({ path: 'params.userIdentifier', value: 'jo' });
    expect(fields).toContainEqual({ path: 'params.allowedEmbeds[0]', value: 'overview' });
    expect(fields).toContainEqual(
      expect.objectContaining({ path: 'params.allowedEmbeds[1]', value: 'costs', expression: 'claims.embed' }),
    );
  });

  it('includes the claims that a variable reads', () => {
    expect(fields?.find(({ path }) => path === 'permissions.isEnableDownloadMetrics')?.claims).toEqual([
      { name: 'realm_access', value: { roles: ['viewer'] } },
      { name: 'realm_access.roles', value: ['viewer'] },
    ]);
  });

  it('includes each leaf of the body exactly once', () => {
    const paths = fields?.map(({ path }) => path) ?? [];
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths).toHaveLength(10);
  });

  it('contains the result of every evaluated rule', () => {
    expect(rules.map(({ path, value }) => [path, value])).toEqual([
      ['validations[0].expression', true],
      ['variables.roles', ['viewer']],
      ['variables.isAdmin', false],
      ['params.appFilters[0].when', true],
    ]);
  });

  it('omits entries whose when is false', () => {
    const paths = explained({ realm_access: { roles: ['admin'] } }).fields?.map(({ path }) => path);
    expect(paths).not.toContain('params.appFilters[0].metricId');
    expect(paths).toContain('params.appFilters');
  });
});

describe('the explanation of a refusal', () => {
  it('contains the validation, its position and its message', () => {
    const { decision, denial, body } = explained({ verified: 'yes' });
    expect(decision).toBe('deny');
    expect(body).toBeUndefined();
    expect(denial).toMatchObject({
      code: 'ACCESS_DENIED',
      reason: 'validation_refused',
      position: 'policy.yaml:11:21',
      message: 'Verify first.',
      rule: { path: 'validations[0].expression', expression: 'claims.verified == true' },
    });
  });

  it('contains the missing claim', () => {
    const { denial, rules } = explainDecision(policy, { verified: true }, undefined, 0);
    expect(denial).toMatchObject({
      reason: 'expression_failed',
      position: 'policy.yaml:15:17',
      claim: 'https://example.com/org.id',
    });
    expect(rules.some(({ path }) => path === 'validations[0].expression')).toBe(true);
  });

  it('contains the claim whose value is refused', () => {
    expect(explained({ regions: [] }).denial).toMatchObject({
      reason: 'filter_value_refused',
      claim: 'regions',
      rule: { path: 'params.appFilters[0].values.regions', expression: 'claims.regions' },
    });
  });

  it('contains a rule that failed', () => {
    const { rules } = explained({ realm_access: { roles: 'admin' } });
    expect(rules.find(({ path }) => path === 'variables.isAdmin')).toMatchObject({
      failed: expect.any(String) as string,
    });
  });

  it('does not treat inherited members as claims', () => {
    const text = `{ version: 1, dataApps: { any: { default: true, expiresIn: 1h, validations: [
      { expression: has(claims.constructor), message: No. }], request: { clientId: acme } } } }`;
    const { rules } = explainDecision(
      loadPolicy({ text, file: 'p.yaml', maxLifetimeSeconds: 86_400 }),
      {},
      undefined,
      0,
    );
    expect(rules).toMatchObject([{ value: false, claims: [{ name: 'constructor' }] }]);
    expect(rules[0]?.claims[0]).not.toHaveProperty('value');
  });

  it('contains an unknown data app', () => {
    expect(explained({}, 'hr')).toMatchObject({
      decision: 'deny',
      dataApp: 'hr',
      denial: { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_unknown' },
    });
  });
});

describe('an explanation as text', () => {
  it('aligns columns', () => {
    const lines = explanationLines(explained());
    expect(lines[0]).toBe(`policy    policy.yaml (revision ${policy.revision})`);
    const columns = lines.filter((line) => line.includes('policy.yaml:')).map((line) => line.indexOf('policy.yaml:'));
    expect(new Set(columns).size).toBeLessThanOrEqual(2);
    expect(lines.join('\n')).toContain('"clientId": "acme"');
    expect(lines.join('\n')).toContain('https://example.com/org.id = "acme"');
  });

  it('contains a missing claim', () => {
    const without = { ...claims, realm_access: undefined };
    Reflect.deleteProperty(without, 'realm_access');
    expect(explanationLines(explainDecision(policy, without, undefined, 0)).join('\n')).toContain(
      'realm_access = absent',
    );
  });

  it('shortens long values in tables, but not in the body', () => {
    const long = 'x'.repeat(200);
    const lines = explanationLines(explained({ regions: [long] }));
    expect(lines.some((line) => line.includes(long) && !line.includes('claims.regions'))).toBe(true);
    expect(lines.filter((line) => line.includes('claims.regions')).every((line) => line.includes('…'))).toBe(true);
  });

  it('contains no terminal control characters, whatever the claims', () => {
    const hostile = fc.constantFrom('\u001b[2J', '\u009b31m', '\u202e', '\u2066', '\u2028', '\r', 'a\nb', '\u0007');
    fc.assert(
      fc.property(hostile, fc.string(), (text, more) => {
        const lines = explanationLines(explained({ realm_access: { roles: [`${text}${more}`] } }));
        expect(lines.join('\n')).toContain('variables.isAdmin');
        expect(lines.join('')).not.toMatch(/[\p{Cc}\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/u);
      }),
    );
  });
});

describe('an explanation as JSON', () => {
  it('is valid for any claims', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (random) => {
        const explanation = explained(random);
        expect(JSON.parse(JSON.stringify(explanation))).toMatchObject({ decision: explanation.decision });
      }),
    );
  });
});

describe('the value of a claim that an expression reads', () => {
  const readBy = (expression: string, values: Record<string, unknown>): unknown => {
    const text = `
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 1h
    validations: [{ expression: '${expression}', message: No. }]
    request: { clientId: acme }
`;
    const { rules } = explainDecision(
      loadPolicy({ text, file: 'p.yaml', maxLifetimeSeconds: 86_400 }),
      values,
      undefined,
      0,
    );
    return rules[0]?.claims;
  };

  it.each<readonly [string, Record<string, unknown>, unknown]>([
    ['claims.a == 1', { a: 1 }, [{ name: 'a', value: 1 }]],
    ['claims.a.b.c == 1', { a: { b: { c: 1 } } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims["a.b"].c == 1', { 'a.b': { c: 1 } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims.a["b.c"] == 1', { a: { 'b.c': 1 } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims["a.b"].c == 1', { a: { x: 2 }, 'a.b': { c: 1 } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims.a["b.c"] == 1', { a: { 'b.c': 1 }, 'a.b': { x: 2 } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims["a.b.c"] == 1', { 'a.b.c': 1, a: { b: { c: 2 } } }, [{ name: 'a.b.c', value: 1 }]],
    ['claims.a.b == 1', { a: null }, [{ name: 'a.b' }]],
    ['claims.a.length == 4', { a: 'text' }, [{ name: 'a.length' }]],
    ['claims[".x"] == 1', { '': { x: 1 } }, [{ name: '.x' }]],
    ['claims.a.b == 1', { a: {} }, [{ name: 'a.b' }]],
    ['claims.a[".b"] == 1', { a: { '.b': 1 } }, [{ name: 'a..b', value: 1 }]],
    ['claims["__proto__"].valueOf == 1', {}, [{ name: '__proto__.valueOf' }]],
    ['claims.a.b == 1', {}, [{ name: 'a.b' }]],
    ['claims.size() == 1', { a: 1 }, [{ name: '*' }]],
    ['claims.a == claims.a && claims.b == 1', { a: 1 }, [{ name: 'a', value: 1 }, { name: 'b' }]],
  ])('%s of %j', (expression, values, expected) => {
    expect(readBy(expression, values)).toEqual(expected);
  });
});

describe('an explanation', () => {
  const explainedOf = (text: string, values: Record<string, unknown> = {}) =>
    explainDecision(loadPolicy({ text, file: 'p.yaml', maxLifetimeSeconds: 86_400 }), values, undefined, 0);

  it('contains values of every type', () => {
    const { rules } = explainedOf(
      `
version: 1
variables:
  count: size(claims.a)
  map: '{"k": [size(claims.a)]}'
dataApps:
  sales:
    default: true
    when: variables.count == 2 && variables.map["k"][0] == 2
    expiresIn: 1h
    request: { clientId: acme }
`,
      { a: ['x', 'y'] },
    );
    expect(rules.map(({ kind, path, value }) => [kind, path, value])).toEqual([
      ['variable', 'variables.count', 2],
      ['variable', 'variables.map', { k: [2] }],
      ['availability', 'when', true],
    ]);
  });

  it('contains a list of strings as one field, and empty values', () => {
    const { fields } = explainedOf(`
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 1h
    request:
      clientId: acme
      params: { hideDashboardFilters: [f, g], appFilters: [], timezone: UTC }
      permissions: {}
`);
    expect(fields?.slice(2)).toEqual([
      { path: 'params.appFilters', value: [] },
      { path: 'params.hideDashboardFilters', value: ['f', 'g'] },
      { path: 'params.timezone', value: 'UTC' },
      { path: 'permissions', value: {} },
      { path: 'expiryTime', value: 3_600_000 },
    ]);
  });

  it('includes a variable once, however often it is used', () => {
    const names = Array.from({ length: 40 }, (_, i) => i);
    const { rules } = explainedOf(
      `
version: 1
variables:
  a0: claims.x
  b0: claims.y
${names.map((i) => `  a${i + 1}: variables.a${i} && variables.b${i}\n  b${i + 1}: variables.b${i} && variables.a${i}`).join('\n')}
dataApps:
  sales:
    default: true
    when: variables.a40 || variables.b40
    expiresIn: 1h
    request: { clientId: acme }
`,
      { x: true, y: true },
    );
    expect(rules.at(-1)).toMatchObject({ path: 'when', claims: [{ name: 'x' }, { name: 'y' }] });
  });
});
