// Checks of every field of the request: a policy sends it, and the simulated Databrain knows exactly these fields.
import { describe, expect, it } from 'vitest';
import { readGuestTokenBody } from '../../demo/databrain/guest-token-body.ts';
import type { Claims } from '../../src/authn/principal.ts';
import { decide } from '../../src/policy/decide.ts';
import {
  paramFields,
  permissionFields,
  topFields,
  type FieldKind,
  type FieldRow,
} from '../../src/policy/upstream-request.ts';
import { ConfigurationError } from '../../src/problem.ts';
import { caseTime, loadCase, principalOf } from '../policy/policy-case.ts';

const samples: Readonly<Record<FieldKind, unknown>> = {
  clientId: 'acme',
  name: 'a name',
  timeZone: 'Europe/Berlin',
  embedIds: ['overview'],
  names: ['cost'],
  metricFilters: [{ metricId: 'revenue', values: { region: ['north'], paid: true } }],
  dashboardFilters: [{ dashboardId: 'overview', values: { region: 'north' }, isShowOnUrl: false }],
  flag: true,
};

/** The samples with one value from a claim, and the value of that claim. */
const region = { region: '${claims.value}' };
const fromClaim: Readonly<Record<FieldKind, readonly [field: unknown, value: unknown]>> = {
  clientId: ['${claims.value}', samples.clientId],
  name: ['${claims.value}', samples.name],
  timeZone: ['${claims.value}', samples.timeZone],
  embedIds: ['${claims.value}', samples.embedIds],
  names: ['${claims.value}', samples.names],
  metricFilters: [[{ metricId: 'revenue', values: { ...region, paid: true } }], ['north']],
  dashboardFilters: [[{ dashboardId: 'overview', values: region, isShowOnUrl: false }], 'north'],
  flag: ['${claims.value}', samples.flag],
};

const groups: readonly (readonly [group: string | undefined, fields: Readonly<Record<string, FieldRow>>])[] = [
  [undefined, topFields],
  ['params', paramFields],
  ['permissions', permissionFields],
];
/** Each field with its kind, and its place in the body. */
const fields = groups.flatMap(([group, rows]) =>
  Object.entries(rows).map(([name, { kind }]) => {
    const place = (value: unknown): object =>
      group === undefined ? { [name]: value } : { [group]: { [name]: value } };
    return [group === undefined ? name : `${group}.${name}`, kind, place] as const;
  }),
);

describe('a policy sends the field', () => {
  const load = (field: object) => loadCase({ name: '', request: JSON.stringify({ clientId: 'acme', ...field }) });
  const decideFor = (field: object, claims: Claims) => decide(load(field), principalOf(claims), undefined, caseTime);

  it.each(fields)('%s', (name, kind, place) => {
    const permit = {
      kind: 'permit',
      grant: { request: { clientId: 'acme', dataAppName: 'sales', ...place(samples[kind]) } },
    };
    const fix = `${name}: correct its row in src/policy/upstream-request.ts, or the rule of its kind in src/policy/compile`;
    expect(decideFor(place(samples[kind]), {}), fix).toMatchObject(permit);
    const [field, value] = fromClaim[kind];
    expect(decideFor(place(field), { value }), fix).toMatchObject(permit);
    const denial = { reason: 'expression_failed', claim: 'value' };
    expect(decideFor(place(field), {}), fix).toMatchObject({ kind: 'deny', denial });
    expect(() => load(place({})), fix).toThrow(ConfigurationError);
  });
});

describe('the simulated Databrain', () => {
  it.each(fields)('knows the field %s', (name, kind, place) => {
    const body = { clientId: 'acme', dataAppName: 'sales', ...place(samples[kind]) };
    const response = readGuestTokenBody(body, { embeds: undefined, unknownParams: [] });
    expect(response, `demo/databrain/guest-token-body.ts does not know ${name}. Add it there.`).toBe(body);
  });

  it('refuses an unknown field', () => {
    const body = { clientId: 'acme', dataAppName: 'sales', params: { other: 'x' } };
    expect(readGuestTokenBody(body, { embeds: undefined, unknownParams: [] })).toMatchObject({ status: 400 });
  });
});
