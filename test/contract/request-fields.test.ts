// Checks that the simulated Databrain knows exactly the fields of the request.
import { describe, expect, it } from 'vitest';
import { readGuestTokenBody } from '../../demo/databrain/guest-token-body.ts';
import { paramFields, permissionFields, topFields, type FieldKind } from '../../src/policy/upstream-request.ts';

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

describe('the simulated Databrain knows the field', () => {
  const below = (group: string | undefined, name: string, kind: FieldKind): object => {
    const field = { [name]: samples[kind] };
    return group === undefined ? field : { [group]: field };
  };
  const bodies = [
    ...Object.entries(topFields).map(([name, { kind }]) => [name, below(undefined, name, kind)] as const),
    ...Object.entries(paramFields).map(([name, { kind }]) => [`params.${name}`, below('params', name, kind)] as const),
    ...Object.entries(permissionFields).map(
      ([name, { kind }]) => [`permissions.${name}`, below('permissions', name, kind)] as const,
    ),
  ];

  it.each(bodies)('%s', (name, field) => {
    const body = { clientId: 'acme', dataAppName: 'sales', ...field };
    const answer = readGuestTokenBody(body, { embeds: undefined, unknownParams: [] });
    expect(answer, `demo/databrain/guest-token-body.ts does not know ${name}. Add it there.`).toBe(body);
  });

  it('and no other field', () => {
    const body = { clientId: 'acme', dataAppName: 'sales', params: { other: 'x' } };
    expect(readGuestTokenBody(body, { embeds: undefined, unknownParams: [] })).toMatchObject({ status: 400 });
  });
});
