// For generated policies and hostile claims: the body is exactly what the policy says, or nothing is minted.
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/policy/decide.ts';
import type { Decision } from '../../../src/policy/decision.ts';
import { loadPolicy } from '../../../src/policy/compile/load-policy.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { permissionFields, upstreamBodySchema } from '../../../src/policy/upstream-request.ts';
import { caseTime, principalOf } from '../../policy/policy-case.ts';

type ClaimSet = Readonly<Record<string, Json | undefined>>;

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const isValidBody = new Ajv({ strict: true, allowUnionTypes: true }).compile(upstreamBodySchema);

const names = ['a', 'b', 'c', 'd', 'e'] as const;
const reference = fc.constantFrom(...names).map((name) => `\${claims.${name}}`);
const literal = fc.constantFrom('lit', 'other-lit', 'x1');
const scalar = fc.oneof({ weight: 3, arbitrary: literal }, { weight: 1, arbitrary: reference });
const flag = fc.oneof({ weight: 3, arbitrary: fc.boolean() }, { weight: 1, arbitrary: reference });

const optional = (
  fields: Readonly<Record<string, fc.Arbitrary<Json>>>,
  required: readonly string[] = [],
): fc.Arbitrary<Json> => fc.record(fields, { requiredKeys: [...required] });

const textList = fc.array(scalar, { minLength: 1, maxLength: 3 });
const when = fc.constantFrom('claims.a == "good"', 'has(claims.b)', 'claims.c', '!claims.d');
const filters = (id: string, value: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc.array(
    optional(
      { when, [id]: scalar, values: fc.dictionary(fc.constantFrom('f', 'g', 'toString'), value, { minKeys: 1 }) },
      [id, 'values'],
    ),
    { maxLength: 3 },
  );

const metricValue: fc.Arbitrary<Json> = fc.oneof(
  scalar,
  fc.boolean(),
  fc.integer(),
  textList,
  fc.constant({ sql: 'a = 1', columnName: 'a' }),
);
const dashboardValue: fc.Arbitrary<Json> = fc.oneof(
  scalar,
  textList,
  fc.record({ min: fc.oneof(fc.constant(-5), reference), max: fc.oneof(fc.constant(99), reference) }),
  fc.record({ startDate: fc.oneof(fc.constant('2024-01-01'), reference), endDate: fc.constant('2024-12-31') }),
);

const request = optional(
  {
    clientId: scalar,
    datasourceName: scalar,
    permissions: optional(
      Object.fromEntries(
        Object.keys(permissionFields)
          .slice(0, 3)
          .map((name) => [name, flag]),
      ),
    ),
    params: optional({
      userIdentifier: scalar,
      allowedEmbeds: fc.oneof(textList, textList, reference),
      hideDashboardFilters: fc.oneof(fc.array(scalar, { maxLength: 2 }), fc.constant([]), reference),
      timezone: fc.oneof(fc.constant('UTC'), fc.constant('UTC'), reference),
      appFilters: filters('metricId', metricValue),
      rlsSettings: filters('metricId', metricValue),
      dashboardAppFilters: filters('dashboardId', dashboardValue),
    }),
  },
  ['clientId'],
);

const hostile = fc.constantFrom<Json[]>(
  '',
  ' ',
  'None',
  'null',
  'NULL ',
  'undefined',
  "x' OR '1'='1",
  'a;b',
  'a--b',
  'a/*b',
  'a\u0000b',
  '\uff2eone',
  '__proto__',
  'constructor',
  '${claims.a}',
  'g\u043e\u043ed',
  'x'.repeat(300),
  'x'.repeat(5000),
  null,
  0,
  1e308,
  -0.5,
  9007199254740993,
  [],
  [''],
  [null],
  [['good']],
  ['good', { sql: '1=1', columnName: 'c' }],
  { sql: '1=1', columnName: 'c' },
  { startDate: '2024-01-01', endDate: '2024-12-31' },
  { min: 1, max: 2 },
  {},
);
const claimValue: fc.Arbitrary<Json> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom<Json[]>(
      'good',
      'good',
      'good',
      'GOOD.2',
      ['good', 'better'],
      true,
      false,
      'UTC',
      '2024-05-05',
      7,
    ),
  },
  { weight: 2, arbitrary: hostile },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> },
);
const claimSets = fc.record(Object.fromEntries(names.map((name) => [name, claimValue])), {
  requiredKeys: ['a', 'b', 'c'],
});

const load = (body: Json): Policy =>
  loadPolicy({
    text: JSON.stringify({ version: 1, dataApps: { app: { default: true, expiresIn: '1h', request: body } } }),
    file: 'p.json',
    maxLifetimeSeconds: 86_400,
  });

const whenOf = (entry: Readonly<Record<string, Json>>): string => {
  const { when: condition } = entry;
  return typeof condition === 'string' ? condition : '';
};

/** The body by substitution only, without any rule; undefined if an expression has no value. */
function substitute(node: Json, claims: ClaimSet, key = ''): Json | undefined {
  if (typeof node === 'string') {
    const name = /^\$\{claims\.(\w)\}$/.exec(node)?.[1];
    return name === undefined ? node : claims[name];
  }
  if (Array.isArray(node)) {
    const items = (node as readonly Json[]).flatMap((item): (Json | undefined)[] => {
      if (typeof item === 'object' && item !== null && 'when' in item && !holds(whenOf(item), claims)) return [];
      const value = substitute(item, claims);
      return Array.isArray(value) && typeof item === 'string' ? (value as Json[]) : [value];
    });
    return items as Json[];
  }
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).filter(([name]) => !(name === 'when' && key === ''));
  return Object.fromEntries(entries.map(([name, inner]) => [name, substitute(inner, claims, name)])) as Json;
}

function holds(condition: string, claims: ClaimSet): boolean {
  if (condition === 'has(claims.b)') return claims['b'] !== undefined;
  if (condition === 'claims.c') return claims['c'] === true;
  if (condition === '!claims.d') return claims['d'] === false;
  return claims['a'] === 'good';
}

/** Every string and number that comes from a claim, at any depth. */
const leaves = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value];

const keysOf = (value: unknown): string[] =>
  Array.isArray(value)
    ? value.flatMap(keysOf)
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)])
      : [];

const isFrozen = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));

const verdict = (decision: Decision): unknown =>
  decision.kind === 'permit' ? decision.grant.request : [decision.denial.code, decision.denial.reason];

describe('decisions on generated policies and hostile claims', () => {
  it('give exactly the body of the policy, frozen at every depth, or a denial', () => {
    let [permitted, denied] = [0, 0];
    const check = (body: Json, policy: Policy, claims: ClaimSet): void => {
      const decision = decide(policy, principalOf(claims), undefined, caseTime);
      if (decision.kind === 'deny') {
        denied += 1;
        expect(decision.denial.code).toBe('ACCESS_DENIED');
        return;
      }
      permitted += 1;
      expect(isFrozen(decision.grant)).toBe(true);
      const sent = decision.grant.request;
      expect(sent).toEqual({ dataAppName: 'app', ...(substitute(body, claims) as object) });
      expect(isValidBody({ ...sent, expiryTime: decision.grant.lifetimeMs })).toBe(true);

      expect(keysOf(sent).every((key) => key === 'dataAppName' || keysOf(body).includes(key))).toBe(true);
      expect(sent.clientId).toMatch(/^[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,127}$/);
      expect(sent.clientId).not.toMatch(/^(none|null|undefined)$/i);
      const { appFilters = [], rlsSettings = [], dashboardAppFilters = [] } = sent.params ?? {};
      for (const { values } of [...appFilters, ...rlsSettings, ...dashboardAppFilters])
        for (const value of Object.values(values)) {
          if (typeof value === 'object' && 'sql' in value) expect(value).toEqual({ sql: 'a = 1', columnName: 'a' });
          for (const leaf of leaves(value)) {
            expect([null, undefined, '', Number.NaN]).not.toContain(leaf);
            if (typeof leaf === 'string' && leaf !== 'a = 1')
              expect(leaf).toMatch(/^(?!.*(?:--|\/\*))[^"'`\\;\p{Cc}]{1,256}$/u);
          }
        }
    };
    fc.assert(
      fc.property(request, fc.array(claimSets, { minLength: 6, maxLength: 6 }), (body, sets) => {
        const policy = load(body);
        for (const claims of sets) check(body, policy, claims);
      }),
      { numRuns: 300 },
    );
    expect(permitted).toBeGreaterThan(100);
    expect(denied).toBeGreaterThan(100);
  });

  it('do not depend on claims that the policy does not name, whatever their names', () => {
    const hostile = fc.constantFrom(
      '{"__proto__":{"a":"good","c":true}}',
      '{"constructor":{"prototype":{"a":"good"}}}',
      '{"toString":"x","valueOf":1,"hasOwnProperty":false,"length":3}',
      `{"deep":${'['.repeat(2000)}${']'.repeat(2000)}}`,
      `{"huge":"${'x'.repeat(100_000)}"}`,
      '{"\\u0430":"good","\\uff41":"good","A":"good"}',
      '{"claims":{"a":"good"},"variables":{"x":true},"dataApp":"other","clientId":"other"}',
    );
    fc.assert(
      fc.property(request, claimSets, hostile, (body, claims, more) => {
        const policy = load(body);
        const text = JSON.stringify(claims);
        const merged = text === '{}' ? more : `${text.slice(0, -1)},${more.slice(1)}`;
        const decided = decide(policy, principalOf(JSON.parse(merged) as Record<string, unknown>), undefined, caseTime);
        expect(verdict(decided)).toEqual(verdict(decide(policy, principalOf(claims), undefined, caseTime)));
      }),
      { numRuns: 250 },
    );
  });
});
