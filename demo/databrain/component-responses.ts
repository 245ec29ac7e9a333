// The smallest responses from which @databrainhq/plugin 0.12.9 draws a dashboard or a metric, as measured in a browser.
import type { Embed } from './catalogue.ts';
import type { GuestTokenBody } from './guest-token-body.ts';
import type { Order } from './sales-data.ts';

/** The kind of chart for each metric of the demo's catalogue. */
interface Drawing {
  readonly name: string;
  readonly chartType: 'bar' | 'table' | 'stack';
  readonly xAxis: string;
  readonly yAxisList: readonly string[];
  readonly row: (order: Order) => Readonly<Record<string, string | number>>;
}

const drawings: Readonly<Record<string, Drawing>> = {
  revenue: {
    name: 'Revenue by country',
    chartType: 'bar',
    xAxis: 'country',
    yAxisList: ['revenue'],
    row: ({ country, revenue }) => ({ country, revenue }),
  },
  orders: {
    name: 'Orders',
    chartType: 'table',
    xAxis: 'company',
    yAxisList: ['company', 'country', 'product', 'revenue'],
    row: ({ client_id, country, product, revenue }) => ({ company: client_id, country, product, revenue }),
  },
  margin: {
    name: 'Margin by country',
    chartType: 'bar',
    xAxis: 'country',
    yAxisList: ['margin'],
    row: ({ country, revenue, cost }) => ({ country, margin: revenue - cost }),
  },
};

const drawingOf = (metricId: string): Drawing | undefined =>
  Object.hasOwn(drawings, metricId) ? drawings[metricId] : undefined;

const settings = {
  legendSettings: { show: false },
  labelSettings: {},
  customSettings: { barWidth: 40, axisLabels: 'none', fontSize: 14, hideSplitLines: 'none', hideAxisLines: 'none' },
  /** In percent. */
  margins: { marginTop: 8, marginBottom: 18, marginLeft: 12, marginRight: 4 },
  axisSettings: {},
  timeSeriesSettings: { groupBySettings: { value: '' } },
  tableSettings: {
    enableTableSearch: true,
    enableSorting: true,
    showRowHover: true,
    defaultRowSize: '10',
    contentAlignment: 'left',
    lineGap: 'small',
    conditionalFormatting: [],
    badgeColumns: [],
    badgeColors: {},
    badgeTextColors: {},
    badgeSeparator: ',',
    listColumns: [],
    listSeparator: ',',
  },
};

function externalMetric(metricId: string): object {
  const { name = metricId, chartType = 'table', xAxis = '', yAxisList = [] } = drawingOf(metricId) ?? {};
  return {
    externalMetric: {
      id: metricId,
      metricId,
      name,
      createdAt: '2026-01-01T00:00:00.000Z',
      isCreatedByClient: false,
      rlsConditions: [],
      metricFilters: [],
      clickActions: { chart: {}, table: {} },
      chartOptions: { chartType, xAxis, yAxisList, ...settings },
    },
  };
}

const owner = { companyId: 'simulated', companyTenancyType: 'TABLE' };

/** @param handle the value that the component sends as `clientId` in later calls */
export const dashboardResponse = ({ embedId, metricIds }: Embed, { permissions }: GuestTokenBody, handle: string) => ({
  externalDashboard: {
    id: embedId,
    name: permissions?.['isShowDashboardName'] === true ? embedId : '',
    externalDashboardId: embedId,
    filters: [],
    layout: metricIds.map((metricId, index) => ({ i: metricId, x: index * 6, y: 0, w: 6, h: 12 })),
  },
  externalMetrics: metricIds.map(externalMetric),
  clientId: handle,
  ...owner,
  workspace: { id: 'simulated' },
  rlsSettings: [],
  appFilters: [],
  isAllowedToCreateMetrics: false,
  isAllowedToUpdateMetrics: false,
  isAllowedToDeleteMetrics: false,
  isAllowedToChangeLayout: false,
});

/** @param handle as above */
export const metricResponse = (metricId: string, handle: string) => ({
  embeddedMetricData: {
    ...externalMetric(metricId),
    clientId: handle,
    companyId: owner.companyId,
    params: JSON.stringify({ rlsSettings: [], companyTenancyType: owner.companyTenancyType }),
  },
});

/** Rows are sent as JSON text. Charts get one row per country, tables all rows. */
export function rowsResponse(metricId: string, orders: readonly Order[]): object {
  const drawing = drawingOf(metricId);
  const rows = drawing === undefined ? [] : orders.map(drawing.row);
  const [value] = drawing?.yAxisList ?? [];
  const shown = drawing?.chartType === 'bar' && value !== undefined ? sumByCountry(rows, value) : rows;
  return { data: JSON.stringify(shown), totalRecords: shown.length, timeTaken: 1, metaData: { groupbyColumnList: [] } };
}

function sumByCountry(rows: readonly Readonly<Record<string, string | number>>[], value: string): object[] {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const country = String(row['country']);
    sums.set(country, (sums.get(country) ?? 0) + Number(row[value]));
  }
  return [...sums].map(([country, sum]) => ({ country, [value]: sum }));
}
