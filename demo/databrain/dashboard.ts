// The view of an embed for a guest token: the orders of the token's client, narrowed by its filters.
// Runs no SQL. With a filter that it cannot apply, it shows no rows.
import type { Embed } from './catalogue.ts';
import type { Filter, GuestTokenBody } from './guest-token-body.ts';
import { orders, type Order } from './sales-data.ts';

export interface DashboardView {
  readonly embedId: string;
  readonly dashboardId: string;
  readonly clientId: string;
  readonly metrics: readonly {
    readonly metricId: string;
    readonly total: number;
    readonly bars: readonly { readonly country: string; readonly value: number }[];
    readonly rows: readonly Order[];
  }[];
  /** Filters that the viewer can change: all except the hidden ones. */
  readonly offeredFilters: readonly string[];
  readonly permissions: Readonly<Record<string, boolean>>;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function matches(cell: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) return wanted.includes(cell);
  if (!isRecord(wanted)) return cell === wanted;
  const { startDate, endDate, min, max } = wanted;
  if (typeof startDate === 'string' && typeof endDate === 'string')
    return typeof cell === 'string' && startDate <= cell && cell <= endDate;
  if (typeof min === 'number' && typeof max === 'number') return typeof cell === 'number' && min <= cell && cell <= max;
  return false;
}

const passes =
  (filters: readonly Filter[]) =>
  (order: Order): boolean =>
    filters.every(({ values }) =>
      Object.entries(values).every(([column, wanted]) => matches(new Map(Object.entries(order)).get(column), wanted)),
    );

const valueOf = (metricId: string, { revenue, cost }: Order): number =>
  metricId === 'margin' ? revenue - cost : revenue;

/** The view of the embed for a token that was minted from `body`. */
export function showDashboard(
  embed: Embed,
  { clientId, params = {}, permissions = {} }: GuestTokenBody,
): DashboardView {
  const ofClient = orders.filter((order) => clientId === 'None' || order.client_id === clientId);
  const ofDashboard = ofClient.filter(
    passes(params.dashboardAppFilters?.filter(({ dashboardId }) => dashboardId === embed.dashboardId) ?? []),
  );

  return {
    embedId: embed.embedId,
    dashboardId: embed.dashboardId,
    clientId,
    metrics: embed.metricIds.map((metricId) => {
      const ofMetric = [...(params.appFilters ?? []), ...(params.rlsSettings ?? [])].filter(
        (filter) => filter.metricId === metricId,
      );
      const rows = ofDashboard.filter(passes(ofMetric));
      const byCountry = new Map<string, number>();
      for (const row of rows) byCountry.set(row.country, (byCountry.get(row.country) ?? 0) + valueOf(metricId, row));
      return {
        metricId,
        total: rows.reduce((sum, row) => sum + valueOf(metricId, row), 0),
        bars: [...byCountry].map(([country, value]) => ({ country, value })),
        rows,
      };
    }),
    offeredFilters: ['region', 'country', 'product', 'cost'].filter(
      (name) => !params.hideDashboardFilters?.includes(name),
    ),
    permissions,
  };
}
