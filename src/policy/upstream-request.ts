// The body of POST /api/v2/guest-token/create: one row per field. The type, both JSON Schemas, the compiler,
// policy.schema.json and the table of the policy guide are derived from it. `dataAppName` is the name of the data app;
// `expiryTime` is added when a token is minted.
import { compileSchema } from '../json-schema.ts';

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

/** The value of a field, by its kind. */
interface FieldValues {
  readonly clientId: string;
  /** The name of a user or thing. */
  readonly name: string;
  readonly timeZone: string;
  /** Not empty. */
  readonly embedIds: readonly string[];
  readonly names: readonly string[];
  readonly metricFilters: readonly MetricFilter[];
  readonly dashboardFilters: readonly DashboardFilter[];
  readonly flag: boolean;
}

export type FieldKind = keyof FieldValues;

export interface FieldRow {
  readonly kind: FieldKind;
  /** A phrase about the field for the policy guide and for editors. */
  readonly about: string;
  /** For flags: `true` takes a right away, where others give one. */
  readonly forbids?: true;
}

/** Fields other than `dataAppName`, `params`, `permissions` and `expiryTime`. */
export const topFields = {
  clientId: {
    kind: 'clientId',
    about: 'the tenant, which decides the rows that the user sees; the literal `None` means no tenancy',
  },
  datasourceName: { kind: 'name', about: 'the data source to read; needed if the data app has several' },
} as const satisfies Readonly<Record<string, FieldRow>>;

/** Fields of `params`. */
export const paramFields = {
  userIdentifier: { kind: 'name', about: 'the user; opens the metrics that belong to this user alone' },
  allowedEmbeds: {
    kind: 'embedIds',
    about: 'the embeds that the token opens, by embed id; without it, every embed of the data app',
  },
  timezone: {
    kind: 'timeZone',
    about: 'the time zone of the database session, such as `Europe/Berlin`; without it, the data source decides',
  },
  appFilters: { kind: 'metricFilters', about: 'row filters of metrics, invisible to the user' },
  dashboardAppFilters: { kind: 'dashboardFilters', about: 'row filters of dashboards, by dashboard id' },
  hideDashboardFilters: {
    kind: 'names',
    about: "names of a dashboard's own filters that the user is not shown; this hides controls and protects no data",
  },
  rlsSettings: { kind: 'metricFilters', about: 'row-level settings of metrics, the older form of `appFilters`' },
} as const satisfies Readonly<Record<string, FieldRow>>;

/** Fields of `permissions`. */
export const permissionFields = {
  isEnableArchiveMetrics: { kind: 'flag', about: 'archive metrics' },
  isEnableManageMetrics: { kind: 'flag', about: 'manage metrics' },
  isEnableCreateDashboardView: { kind: 'flag', about: 'save views of a dashboard' },
  isEnableMetricUpdation: { kind: 'flag', about: 'change metrics' },
  isEnableCustomizeLayout: { kind: 'flag', about: 'move and resize the parts of a dashboard' },
  isEnableUnderlyingData: { kind: 'flag', about: 'see the rows below a metric' },
  isEnableDownloadMetrics: { kind: 'flag', about: 'download metrics' },
  isShowSideBar: { kind: 'flag', about: 'see the side bar' },
  isShowDashboardName: { kind: 'flag', about: "see the dashboard's name" },
  isDisableMetricCreation: { kind: 'flag', about: '`true` **forbids** to create metrics', forbids: true },
} as const satisfies Readonly<Record<string, FieldRow>>;

/** Names of the fields of `params` that hold filters: with any of them the user sees less. */
export const filterLists: readonly string[] = Object.entries(paramFields).flatMap(([name, { kind }]) =>
  kind === 'metricFilters' || kind === 'dashboardFilters' ? [name] : [],
);

/** Names of the permissions that take a right away. */
export const forbiddingPermissions: readonly string[] = Object.entries<FieldRow>(permissionFields).flatMap(
  ([name, { forbids }]) => (forbids === true ? [name] : []),
);

type ValuesOf<Fields extends Readonly<Record<string, FieldRow>>> = {
  readonly [Name in keyof Fields]?: FieldValues[Fields[Name]['kind']];
};

export interface UpstreamRequest extends Omit<ValuesOf<typeof topFields>, 'clientId'> {
  readonly clientId: string;
  readonly dataAppName: string;
  readonly params?: ValuesOf<typeof paramFields>;
  readonly permissions?: ValuesOf<typeof permissionFields>;
}

const text = { type: 'string', minLength: 1 } as const;
const textList = { type: 'array', items: text, minItems: 1 } as const;
const number = { type: 'number' } as const;
const date = { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' } as const;

const shape = (properties: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}) => ({
  type: 'object',
  properties: { ...properties, ...optional },
  required: Object.keys(properties),
  additionalProperties: false,
});
const sqlFilter = shape({ sql: text, columnName: text });
const range = (from: string, to: string, value: object): object => shape({ [from]: value, [to]: value });

const filters = (idName: string, values: readonly object[], optional: Readonly<Record<string, object>> = {}) => {
  const ofFilter = { type: 'object', additionalProperties: { anyOf: values }, minProperties: 1 };
  return { type: 'array', items: shape({ [idName]: text, values: ofFilter }, optional) } as const;
};

const bodySchemas = {
  clientId: text,
  name: text,
  timeZone: text,
  embedIds: textList,
  names: { type: 'array', items: text },
  metricFilters: filters('metricId', [{ type: 'boolean' }, number, text, textList, sqlFilter]),
  dashboardFilters: filters(
    'dashboardId',
    [text, textList, range('startDate', 'endDate', date), range('min', 'max', number), sqlFilter],
    { isShowOnUrl: { type: 'boolean' } },
  ),
  flag: { type: 'boolean' },
} as const satisfies Readonly<Record<FieldKind, object>>;

/** Properties of a JSON Schema: what `toSchema` makes of each row. */
export const fieldProperties = (
  fields: Readonly<Record<string, FieldRow>>,
  toSchema: (row: FieldRow) => object,
): Readonly<Record<string, object>> =>
  Object.fromEntries(Object.entries(fields).map(([name, row]) => [name, toSchema(row)]));

const bodyShape = (fields: Readonly<Record<string, FieldRow>>): object =>
  shape(
    {},
    fieldProperties(fields, ({ kind }) => bodySchemas[kind]),
  );

/**
 * The JSON Schema of the body, the last check before it is sent. Stricter than Databrain: `expiryTime` is required, and
 * filters and `allowedEmbeds` are never empty.
 */
export const upstreamBodySchema = {
  type: 'object',
  properties: {
    ...fieldProperties(topFields, ({ kind }) => bodySchemas[kind]),
    dataAppName: text,
    params: bodyShape(paramFields),
    permissions: bodyShape(permissionFields),
    /** Milliseconds. Without it, a token would never expire. */
    expiryTime: { type: 'integer', minimum: 1 },
  },
  required: ['clientId', 'dataAppName', 'expiryTime'],
  additionalProperties: false,
} as const;

/** Whether this is a body that Databrain may be sent. */
export const validateUpstreamBody = compileSchema('upstreamBody', upstreamBodySchema);
