// What a data app consists of: embeds, each showing one dashboard made of metrics. Two id spaces, as with the vendor.

export interface Embed {
  /** What `params.allowedEmbeds` names. */
  readonly embedId: string;
  /** What `params.dashboardAppFilters[].dashboardId` names. */
  readonly dashboardId: string;
  /** What `params.appFilters[].metricId` and `params.rlsSettings[].metricId` name. */
  readonly metricIds: readonly string[];
}

/** The embeds of a data app that was given none of its own; demo/policy.yaml speaks of these. */
export const salesEmbeds: readonly Embed[] = [
  { embedId: 'sales-overview', dashboardId: 'overview', metricIds: ['revenue', 'orders'] },
  { embedId: 'finance-report', dashboardId: 'finance', metricIds: ['margin'] },
];
