import { describe, expect, it } from 'vitest';
import { checkDataApp, type EmbedsListing } from '../../../../src/policy/trial/live-check.ts';
import type { DataAppPolicy, Reference } from '../../../../src/policy/policy.ts';
import { toLine } from '../../../../src/problem.ts';

const listing: EmbedsListing = {
  embedIds: new Set(['sales-overview', 'sales-pipeline']),
  dashboardIds: new Set(['overview', 'pipeline']),
  dataAppNames: new Set(['sales']),
};

const dataApp = (...references: readonly Reference[]): DataAppPolicy => ({
  name: 'sales',
  position: 'policy.yaml:4:3',
  isDefault: true,
  apiKeyName: 'DATABRAIN_API_KEY_SALES',
  expiresInMs: 3_600_000,
  withinAccessToken: false,
  availability: undefined,
  validations: [],
  references,
  buildRequest: () => {
    throw new Error('a live check decides nothing');
  },
});

const lines = (app: DataAppPolicy, of = listing): readonly string[] => checkDataApp(app, of).map(toLine);
const reference = (kind: Reference['kind'], id: string): Reference => ({ kind, id, position: 'policy.yaml:9:25' });

describe('the live check', () => {
  it('is content with ids that exist', () => {
    expect(lines(dataApp(reference('embed', 'sales-overview'), reference('dashboard', 'overview')))).toEqual([]);
  });

  it('names a dashboard id where an embed id belongs', () => {
    expect(lines(dataApp(reference('embed', 'overview')))).toEqual([
      'policy.yaml:9:25: "overview" is a dashboard id, but allowedEmbeds takes embed ids. Put the id of the embed that shows this dashboard here.',
    ]);
  });

  it('names an embed id where a dashboard id belongs', () => {
    expect(lines(dataApp(reference('dashboard', 'sales-overview')))).toEqual([
      'policy.yaml:9:25: "sales-overview" is an embed id, but dashboardId takes a dashboard id. Put the id of the dashboard that this embed shows here.',
    ]);
  });

  it('is content with an id that is both', () => {
    const both: EmbedsListing = { ...listing, embedIds: new Set(['overview']), dashboardIds: new Set(['overview']) };
    expect(lines(dataApp(reference('embed', 'overview'), reference('dashboard', 'overview')), both)).toEqual([]);
  });

  it('suggests the id that was meant', () => {
    expect(lines(dataApp(reference('embed', 'sales-overviw')))).toEqual([
      'policy.yaml:9:25: the data app has no embed "sales-overviw". Did you mean sales-overview.',
    ]);
    expect(lines(dataApp(reference('dashboard', 'warehouse')))).toEqual([
      'policy.yaml:9:25: the data app has no dashboard "warehouse". Create it in Databrain or correct the id.',
    ]);
  });

  it('leaves metric ids alone, which are not listed', () => {
    expect(lines(dataApp(reference('metric', 'revenue')))).toEqual([]);
  });

  it('tells that a key belongs to another data app, and nothing about its ids', () => {
    expect(lines(dataApp(reference('embed', 'gone')), { ...listing, dataAppNames: new Set(['finance']) })).toEqual([
      'policy.yaml:4:3: the key in DATABRAIN_API_KEY_SALES belongs to the data app "finance", not to "sales". Correct the data app\'s name, or its apiKey, or the key in DATABRAIN_API_KEY_SALES.',
    ]);
  });

  it('checks ids of a data app whose embeds do not say where they belong', () => {
    expect(lines(dataApp(reference('embed', 'gone')), { ...listing, dataAppNames: new Set() })).toEqual([
      'policy.yaml:9:25: the data app has no embed "gone". Create it in Databrain or correct the id.',
    ]);
  });
});
