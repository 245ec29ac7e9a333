// The body of POST /api/v2/guest-token/create, field by field as the vendor documents it, without `expiryTime`,
// which databrain/request-body.ts adds when it mints.

export type SqlFilter = { readonly sql: string; readonly columnName: string };

/** Values of `appFilters` and `rlsSettings`. */
export type MetricFilterValue = boolean | number | string | readonly string[] | SqlFilter;

/** Values of `dashboardAppFilters`. */
export type DashboardFilterValue =
  | string
  | readonly string[]
  | { readonly startDate: string; readonly endDate: string }
  | { readonly min: number; readonly max: number }
  | SqlFilter;

export interface MetricFilter {
  readonly metricId: string;
  readonly values: Readonly<Record<string, MetricFilterValue>>;
}

export interface DashboardFilter {
  readonly dashboardId: string;
  readonly values: Readonly<Record<string, DashboardFilterValue>>;
  readonly isShowOnUrl?: boolean;
}

export const permissionNames = [
  'isEnableArchiveMetrics',
  'isEnableManageMetrics',
  'isEnableCreateDashboardView',
  'isEnableMetricUpdation',
  'isEnableCustomizeLayout',
  'isEnableUnderlyingData',
  'isEnableDownloadMetrics',
  'isShowSideBar',
  'isShowDashboardName',
  'isDisableMetricCreation',
] as const;

export type PermissionName = (typeof permissionNames)[number];

export interface UpstreamRequest {
  readonly clientId: string;
  readonly dataAppName: string;
  readonly params?: {
    readonly appFilters?: readonly MetricFilter[];
    readonly dashboardAppFilters?: readonly DashboardFilter[];
    readonly hideDashboardFilters?: readonly string[];
    readonly userIdentifier?: string;
    readonly allowedEmbeds?: readonly string[];
    readonly timezone?: string;
    readonly rlsSettings?: readonly MetricFilter[];
  };
  readonly permissions?: Readonly<Partial<Record<PermissionName, boolean>>>;
  readonly datasourceName?: string;
}
