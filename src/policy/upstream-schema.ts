// The upstream's body as JSON Schema (upstream.md §1): the last check before it is sent. Stricter than the vendor where
// the contract is: a life is required, filters and `allowedEmbeds` are never empty.
import { permissionNames } from './upstream-request.ts';

const text = { type: 'string', minLength: 1 } as const;
const textList = { type: 'array', items: text, minItems: 1 } as const;

const shape = (properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const sqlFilter = shape({ sql: text, columnName: text });
const date = { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' } as const;
const number = { type: 'number' } as const;

const values = (alternatives: readonly object[]) => ({
  type: 'object',
  additionalProperties: { anyOf: alternatives },
  minProperties: 1,
});

const metricFilter = shape({
  metricId: text,
  values: values([{ type: 'boolean' }, number, text, textList, sqlFilter]),
});

const dashboardFilter = {
  ...shape({
    dashboardId: text,
    values: values([
      text,
      textList,
      shape({ startDate: date, endDate: date }),
      shape({ min: number, max: number }),
      sqlFilter,
    ]),
  }),
};

export const upstreamBodySchema = {
  type: 'object',
  properties: {
    clientId: text,
    dataAppName: text,
    params: {
      type: 'object',
      properties: {
        appFilters: { type: 'array', items: metricFilter },
        dashboardAppFilters: {
          type: 'array',
          items: {
            ...dashboardFilter,
            properties: { ...dashboardFilter.properties, isShowOnUrl: { type: 'boolean' } },
          },
        },
        hideDashboardFilters: { type: 'array', items: text },
        userIdentifier: text,
        allowedEmbeds: textList,
        timezone: text,
        rlsSettings: { type: 'array', items: metricFilter },
      },
      additionalProperties: false,
    },
    permissions: {
      type: 'object',
      properties: Object.fromEntries(permissionNames.map((name) => [name, { type: 'boolean' }])),
      additionalProperties: false,
    },
    /** Milliseconds; absent would mean a token that never expires. */
    expiryTime: { type: 'integer', minimum: 1 },
    datasourceName: text,
  },
  required: ['clientId', 'dataAppName', 'expiryTime'],
  additionalProperties: false,
} as const;
