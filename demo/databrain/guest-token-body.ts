// Reads the body of POST /api/v2/guest-token/create as strictly as the vendor: refuses unknown keys with its
// wording, and has a code for each part of the body. Follows the vendor's documentation, not the schema of this proxy.
import type { Embed } from './catalogue.ts';
import { checkFilters, isDashboardFilterValue, isMetricFilterValue } from './filters.ts';
import type { Refusal } from './refusal.ts';
import { isStrings, onlyKnown, Refused, text } from './strict-values.ts';

export interface Filter {
  readonly values: Readonly<Record<string, unknown>>;
}

/** A body that was accepted. */
export interface GuestTokenBody {
  readonly clientId: string;
  readonly dataAppName: string;
  readonly params?: {
    readonly appFilters?: readonly (Filter & { readonly metricId: string })[];
    readonly dashboardAppFilters?: readonly (Filter & { readonly dashboardId: string })[];
    readonly rlsSettings?: readonly (Filter & { readonly metricId: string })[];
    readonly hideDashboardFilters?: readonly string[];
    readonly allowedEmbeds?: readonly string[];
    readonly userIdentifier?: string;
    readonly timezone?: string;
  };
  readonly permissions?: Readonly<Record<string, boolean>>;
  /** Milliseconds from now; absent: the token never expires. */
  readonly expiryTime?: number;
  readonly datasourceName?: string;
}

export interface BodyRules {
  /** The ids of the data app; undefined: ids are not checked. */
  readonly embeds: readonly Embed[] | undefined;
  /** Members of `params` that this version does not know. */
  readonly unknownParams: readonly string[];
}

const permissionNames = [
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
];

const paramNames = [
  'appFilters',
  'dashboardAppFilters',
  'hideDashboardFilters',
  'userIdentifier',
  'allowedEmbeds',
  'timezone',
  'rlsSettings',
];

function checkParams(value: unknown, { embeds, unknownParams }: BodyRules): void {
  const known = paramNames.filter((name) => !unknownParams.includes(name));
  const params = onlyKnown(value, 'params', known, 'INVALID_REQUEST_BODY');
  const metricIds = embeds?.flatMap((embed) => embed.metricIds);
  const metricFilter = {
    idName: 'metricId',
    otherNames: [],
    knownIds: metricIds,
    isValue: isMetricFilterValue,
  } as const;

  checkFilters(params['appFilters'], 'params.appFilters', {
    ...metricFilter,
    code: 'APP_FILTER_PARAM_ERROR',
    unknownIdCode: 'APP_FILTER_PARAM_ERROR',
  });
  checkFilters(params['rlsSettings'], 'params.rlsSettings', {
    ...metricFilter,
    code: 'RLS_SETTINGS_PARAM_ERROR',
    unknownIdCode: 'RLS_SETTINGS_PARAM_ERROR',
  });
  checkFilters(params['dashboardAppFilters'], 'params.dashboardAppFilters', {
    idName: 'dashboardId',
    otherNames: ['isShowOnUrl'],
    code: 'DASHBOARD_PARAM_ERROR',
    unknownIdCode: 'APP_FILTER_PARAM_ERROR',
    knownIds: embeds?.map((embed) => embed.dashboardId),
    isValue: isDashboardFilterValue,
  });

  for (const name of ['hideDashboardFilters', 'allowedEmbeds'])
    if (params[name] !== undefined && !isStrings(params[name]))
      throw new Refused('INVALID_REQUEST_BODY', `"params.${name}" must be an array of strings`);
  if (embeds !== undefined && isStrings(params['allowedEmbeds']))
    for (const id of params['allowedEmbeds'])
      if (!embeds.some(({ embedId }) => embedId === id))
        throw new Refused('APP_FILTER_PARAM_ERROR', `"params.allowedEmbeds" names an embed that does not exist`);
  if (params['userIdentifier'] !== undefined)
    text(params['userIdentifier'], 'params.userIdentifier', 'INVALID_REQUEST_BODY');
  if (
    params['timezone'] !== undefined &&
    !isTimezone(text(params['timezone'], 'params.timezone', 'INVALID_REQUEST_BODY'))
  )
    throw new Refused('INVALID_REQUEST_BODY', '"params.timezone" must be a valid IANA timezone');
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

function checkPermissions(value: unknown): void {
  const permissions = onlyKnown(value, 'permissions', permissionNames, 'INVALID_PERMISSIONS');
  for (const [name, allowed] of Object.entries(permissions))
    if (typeof allowed !== 'boolean')
      throw new Refused('INVALID_PERMISSIONS', `"permissions.${name}" must be a boolean`);
}

function checkBody(value: unknown, rules: BodyRules): void {
  const known = ['clientId', 'dataAppName', 'params', 'permissions', 'expiryTime', 'datasourceName'];
  const body = onlyKnown(value, 'value', known, 'INVALID_REQUEST_BODY');
  text(body['clientId'], 'clientId', 'CLIENT_ID_ERROR');
  text(body['dataAppName'], 'dataAppName', 'INVALID_REQUEST_BODY');
  if (body['datasourceName'] !== undefined) text(body['datasourceName'], 'datasourceName', 'INVALID_REQUEST_BODY');
  if (body['params'] !== undefined) checkParams(body['params'], rules);
  if (body['permissions'] !== undefined) checkPermissions(body['permissions']);
  const { expiryTime } = body;
  if (expiryTime === undefined) return;
  if (typeof expiryTime !== 'number') throw new Refused('INVALID_REQUEST_BODY', '"expiryTime" must be a number');
  if (!(expiryTime > 0)) throw new Refused('INVALID_REQUEST_BODY', '"expiryTime" must be a positive number');
}

/** @returns the body, or a refusal for its first problem in the vendor's order */
export function readGuestTokenBody(value: unknown, rules: BodyRules): GuestTokenBody | Refusal {
  try {
    checkBody(value, rules);
    return value as GuestTokenBody;
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
}
