import { describe, expect, it } from 'vitest';
import { checkDataApp, type EmbedsListing } from '../../../../src/policy/trial/check-data-app.ts';
import type { DataAppPolicy, Reference } from '../../../../src/policy/policy.ts';
import { nameProblem } from '../../../support/sentences/name-sentence.ts';

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

const lines = (app: DataAppPolicy, of = listing): readonly string[] =>
  checkDataApp(app, of).map((problem) => nameProblem(problem, { withFix: true }));
const reference = (kind: Reference['kind'], id: string): Reference => ({ kind, id, position: 'policy.yaml:9:25' });

describe('the live check', () => {
  it('accepts existing ids', () => {
    expect(lines(dataApp(reference('embed', 'sales-overview'), reference('dashboard', 'overview')))).toEqual([]);
  });

  it('reports a dashboard id in place of an embed id', () => {
    expect(lines(dataApp(reference('embed', 'overview')))).toEqual([
      'policy.yaml:9:25 dashboardForEmbed(overview) → useEmbedId',
    ]);
  });

  it('reports an embed id in place of a dashboard id', () => {
    expect(lines(dataApp(reference('dashboard', 'sales-overview')))).toEqual([
      'policy.yaml:9:25 embedForDashboard(sales-overview) → useDashboardId',
    ]);
  });

  it('accepts an id of both kinds', () => {
    const both: EmbedsListing = { ...listing, embedIds: new Set(['overview']), dashboardIds: new Set(['overview']) };
    expect(lines(dataApp(reference('embed', 'overview'), reference('dashboard', 'overview')), both)).toEqual([]);
  });

  it('suggests a similar id', () => {
    expect(lines(dataApp(reference('embed', 'sales-overviw')))).toEqual([
      'policy.yaml:9:25 idNotInDataApp(embed, sales-overviw) → didYouMean(sales-overview)',
    ]);
    expect(lines(dataApp(reference('dashboard', 'warehouse')))).toEqual([
      'policy.yaml:9:25 idNotInDataApp(dashboard, warehouse) → createOrCorrect',
    ]);
  });

  it('does not check metric ids, because Databrain does not list them', () => {
    expect(lines(dataApp(reference('metric', 'revenue')))).toEqual([]);
  });

  it('reports that a key belongs to another data app, without checking its ids', () => {
    expect(lines(dataApp(reference('embed', 'gone')), { ...listing, dataAppNames: new Set(['finance']) })).toEqual([
      'policy.yaml:4:3 keyOfOtherDataApp(DATABRAIN_API_KEY_SALES, "finance", sales) → correctKey(DATABRAIN_API_KEY_SALES)',
    ]);
  });

  it('checks the ids of a data app whose embeds have no data app name', () => {
    expect(lines(dataApp(reference('embed', 'gone')), { ...listing, dataAppNames: new Set() })).toEqual([
      'policy.yaml:9:25 idNotInDataApp(embed, gone) → createOrCorrect',
    ]);
  });
});
