// Reads the body of POST /api/v2/guest-token/create as strictly as the vendor does: unknown keys are refused with its
// wording, each part of the body with its own code. Written from the vendor's pages alone, not from this proxy's schema.
import type { Embed } from './catalogue.ts';
import { refuse, type Refusal, type RefusalCode } from './refusal.ts';

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
  /** What exists in the data app; undefined: ids are not checked. */
  readonly embeds: readonly Embed[] | undefined;
  /** Members of `params` that this version does not know. */
  readonly unknownParams: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

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

/** Thrown inside this file only, to leave the reading at the first problem. */
class Refused extends Error {
  readonly refusal: Refusal;
  constructor(code: RefusalCode, message: string) {
    super(message);
    this.refusal = refuse(code, message);
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
const isDay = (value: unknown): boolean =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value));
const isOnly = (value: JsonObject, names: readonly string[]): boolean =>
  Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));

const isSql = (value: unknown): boolean =>
  isObject(value) &&
  isOnly(value, ['sql', 'columnName']) &&
  typeof value['sql'] === 'string' &&
  typeof value['columnName'] === 'string';
const isMetricFilterValue = (value: unknown): boolean =>
  ['boolean', 'number', 'string'].includes(typeof value) || isStrings(value) || isSql(value);
const isDashboardFilterValue = (value: unknown): boolean =>
  typeof value === 'string' ||
  isStrings(value) ||
  isSql(value) ||
  (isObject(value) &&
    ((isOnly(value, ['startDate', 'endDate']) && isDay(value['startDate']) && isDay(value['endDate'])) ||
      (isOnly(value, ['min', 'max']) && typeof value['min'] === 'number' && typeof value['max'] === 'number')));

function onlyKnown(value: unknown, path: string, known: readonly string[], code: RefusalCode): JsonObject {
  if (!isObject(value)) throw new Refused(code, `"${path}" must be of type object`);
  for (const name of Object.keys(value))
    if (!known.includes(name))
      throw new Refused(code, `"${path === 'value' ? name : `${path}.${name}`}" is not allowed`);
  return value;
}

function text(value: unknown, path: string, code: RefusalCode): string {
  if (value === undefined) throw new Refused(code, `"${path}" is required`);
  if (typeof value !== 'string') throw new Refused(code, `"${path}" must be a string`);
  if (value.trim() === '') throw new Refused(code, `"${path}" is not allowed to be empty`);
  return value;
}

interface FilterRules {
  readonly idName: 'metricId' | 'dashboardId';
  readonly otherNames: readonly string[];
  readonly code: RefusalCode;
  /** An id that does not exist is told by this code, which is not always the filter's own. */
  readonly unknownIdCode: RefusalCode;
  readonly knownIds: readonly string[] | undefined;
  readonly isValue: (value: unknown) => boolean;
}

function checkFilters(filters: unknown, path: string, rules: FilterRules): void {
  const { idName, code } = rules;
  if (filters === undefined) return;
  if (!Array.isArray(filters)) throw new Refused(code, `"${path}" must be an array`);
  for (const [index, item] of filters.entries()) {
    const at = `${path}[${index}]`;
    const filter = onlyKnown(item, at, [idName, 'values', ...rules.otherNames], code);
    const id = text(filter[idName], `${at}.${idName}`, code);
    if (filter['isShowOnUrl'] !== undefined && typeof filter['isShowOnUrl'] !== 'boolean')
      throw new Refused(code, `"${at}.isShowOnUrl" must be a boolean`);
    if (!isObject(filter['values'])) throw new Refused(code, `"${at}.values" must be of type object`);
    for (const [name, value] of Object.entries(filter['values']))
      if (!rules.isValue(value))
        throw new Refused(code, `"${at}.values.${name}" does not match any of the allowed types`);
    if (rules.knownIds !== undefined && !rules.knownIds.includes(id))
      throw new Refused(rules.unknownIdCode, `"${at}.${idName}" does not exist`);
  }
}

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

/** @returns the body, or the refusal of its first problem in the vendor's order */
export function readGuestTokenBody(value: unknown, rules: BodyRules): GuestTokenBody | Refusal {
  try {
    checkBody(value, rules);
    return value as GuestTokenBody;
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
}
