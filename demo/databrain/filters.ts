// The lists of filters in a guest-token request, and the values that each kind of filter accepts.
import type { RefusalCode } from './refusal.ts';
import { isObject, isStrings, onlyKnown, Refused, text, type JsonObject } from './strict-values.ts';

const isDay = (value: unknown): boolean =>
  typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value));
const isOnly = (value: JsonObject, names: readonly string[]): boolean =>
  Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));

const isSql = (value: unknown): boolean =>
  isObject(value) &&
  isOnly(value, ['sql', 'columnName']) &&
  typeof value['sql'] === 'string' &&
  typeof value['columnName'] === 'string';
/** `appFilters` and `rlsSettings`. */
export const isMetricFilterValue = (value: unknown): boolean =>
  ['boolean', 'number', 'string'].includes(typeof value) || isStrings(value) || isSql(value);
/** `dashboardAppFilters`. */
export const isDashboardFilterValue = (value: unknown): boolean =>
  typeof value === 'string' ||
  isStrings(value) ||
  isSql(value) ||
  (isObject(value) &&
    ((isOnly(value, ['startDate', 'endDate']) && isDay(value['startDate']) && isDay(value['endDate'])) ||
      (isOnly(value, ['min', 'max']) && typeof value['min'] === 'number' && typeof value['max'] === 'number')));

interface FilterRules {
  readonly idName: 'metricId' | 'dashboardId';
  readonly otherNames: readonly string[];
  readonly code: RefusalCode;
  /** The code for an unknown id, which is not always the filter's own. */
  readonly unknownIdCode: RefusalCode;
  readonly knownIds: readonly string[] | undefined;
  readonly isValue: (value: unknown) => boolean;
}

/** Refuses anything but a list of `{ [idName], values }` with existing ids and accepted values. */
export function checkFilters(filters: unknown, path: string, rules: FilterRules): void {
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
