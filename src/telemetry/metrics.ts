// Creates the Prometheus metrics from the table of metrics. Label values are typed by the table, so an unknown value
// does not compile. Metrics with known label values start at 0, because Prometheus sees no increase in a new series.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { metricTable, type LabelValues, type MetricRow } from './metric-table.ts';

const latencyBuckets: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type ValuesOf<Labels extends MetricRow['labels']> = {
  readonly [Name in keyof Labels]: Labels[Name] extends readonly (infer Value extends string)[] ? Value : string;
};

interface CountedByLabels<Labels extends MetricRow['labels']> {
  readonly inc: (labels: ValuesOf<Labels>, value?: number) => void;
}

interface SetByLabels<Labels extends MetricRow['labels']> {
  readonly set: (labels: ValuesOf<Labels>, value: number) => void;
  /** Forgets every value of every label. */
  readonly reset: () => void;
}

/** Every combination of the labels' values; none if a label is open. */
export function knownLabels(
  labels: Readonly<Record<string, LabelValues>>,
): readonly Readonly<Record<string, string>>[] {
  return Object.entries(labels).reduce<readonly Readonly<Record<string, string>>[]>(
    (combinations, [name, values]) =>
      typeof values === 'string'
        ? []
        : combinations.flatMap((combination) => values.map((value) => ({ ...combination, [name]: value }))),
    [{}],
  );
}

/** Creates a separate registry, so that two services in one process (as in tests) share no counter. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const configOf = (row: MetricRow) => ({
    name: row.name,
    help: row.help,
    labelNames: Object.keys(row.labels),
    registers,
  });

  function counter<Labels extends MetricRow['labels']>(row: MetricRow & { labels: Labels }): CountedByLabels<Labels> {
    const metric = new Counter(configOf(row));
    for (const labels of knownLabels(row.labels)) metric.inc(labels, 0);
    return metric;
  }

  function plainCounter(row: MetricRow): { readonly inc: (value?: number) => void } {
    return new Counter(configOf(row));
  }

  function gauge<Labels extends MetricRow['labels']>(row: MetricRow & { labels: Labels }): SetByLabels<Labels> {
    return new Gauge(configOf(row));
  }

  function plainGauge(row: MetricRow): { readonly set: (value: number) => void } {
    const metric = new Gauge(configOf(row));
    if (row.absent !== undefined) metric.remove();
    return metric;
  }

  function histogram(row: MetricRow): { readonly observe: (value: number) => void } {
    return new Histogram({ ...configOf(row), buckets: [...latencyBuckets] });
  }

  return {
    requests: counter(metricTable.requests),
    refusals: counter(metricTable.refusals),
    requestSeconds: histogram(metricTable.requestSeconds),
    upstreamCalls: counter(metricTable.upstreamCalls),
    upstreamSeconds: histogram(metricTable.upstreamSeconds),
    upstreamKeyRefused: counter(metricTable.upstreamKeyRefused),
    upstreamRetries: plainCounter(metricTable.upstreamRetries),
    circuit: plainGauge(metricTable.circuit),
    reuse: counter(metricTable.reuse),
    keySetFetches: counter(metricTable.keySetFetches),
    keySetAge: gauge(metricTable.keySetAge),
    policyInfo: gauge(metricTable.policyInfo),
    policyReloads: counter(metricTable.policyReloads),
    policyLastSuccess: plainGauge(metricTable.policyLastSuccess),
    shadowDecisions: counter(metricTable.shadowDecisions),
    secretReloads: counter(metricTable.secretReloads),
    secretReadable: gauge(metricTable.secretReadable),
    secretStoreLogins: counter(metricTable.secretStoreLogins),
    spans: counter(metricTable.spans),
    rateLimited: counter(metricTable.rateLimited),
    protocolErrors: plainCounter(metricTable.protocolErrors),
    connectionsClosed: counter(metricTable.connectionsClosed),
    logLinesDropped: plainCounter(metricTable.logLinesDropped),
    unknownOrigins: plainCounter(metricTable.unknownOrigins),
    redisUp: plainGauge(metricTable.redisUp),
    redisTransitions: counter(metricTable.redisTransitions),
    /** The exposition text and its content type. */
    expose: async (): Promise<{ contentType: string; text: string }> => ({
      contentType: registry.contentType,
      text: await registry.metrics(),
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
