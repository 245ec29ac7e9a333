// The content of a data app: embeds, each with one dashboard of metrics. Embeds and dashboards have separate ids.

export interface Embed {
  /** The id in `params.allowedEmbeds`. */
  readonly embedId: string;
  /** The id in `params.dashboardAppFilters[].dashboardId`. */
  readonly dashboardId: string;
  /** The ids in `params.appFilters[].metricId` and `params.rlsSettings[].metricId`. */
  readonly metricIds: readonly string[];
}

/** The default embeds of a data app; demo/policy.yaml uses them. */
export const salesEmbeds: readonly Embed[] = [
  { embedId: 'sales-overview', dashboardId: 'overview', metricIds: ['revenue', 'orders'] },
  { embedId: 'finance-report', dashboardId: 'finance', metricIds: ['margin'] },
];
