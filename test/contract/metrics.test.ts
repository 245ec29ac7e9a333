// Compares the table of metrics with the exposed metrics, docs/metrics.md, the alert rules with their tests and
// runbooks, and the dashboard. promtool, from Debian's prometheus, runs the tests of the alerts.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { errorRow, errorCodes } from '../../src/errors.ts';
import { metricTable, type MetricRow } from '../../src/telemetry/metric-table.ts';
import { createMetrics, knownLabels } from '../../src/telemetry/metrics.ts';
import {
  alertRules,
  dashboard,
  dashboardPath,
  panels,
  recordingRules,
  ruleTestsPath,
  rulesPath,
  selectorsOf,
  type Selector,
} from './metric-documents.ts';
import { readDocument } from './settings-documents.ts';
import { needs } from '../support/vitest/needs.ts';

const rows: readonly MetricRow[] = Object.values(metricTable);
const seriesOf = ({ name, kind }: MetricRow): readonly string[] =>
  kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];
const rowOf = new Map(rows.flatMap((row) => seriesOf(row).map((series) => [series, row] as const)));
/** Labels that Prometheus adds to every sample. */
const scrapeLabels = ['namespace', 'job', 'instance'];

const promtool = spawnSync('promtool', ['--version']).status === 0;

/** Names in a selector that the table does not have. */
function unknownIn({ metric, labels }: Selector, exposed: string): readonly string[] {
  if (!metric.startsWith('guest_token')) return exposed.includes(`# TYPE ${metric} `) ? [] : [metric];
  if (recordingRules.some(({ record }) => record === metric)) return [];
  const row = rowOf.get(metric);
  if (row === undefined) return [metric];
  return Object.entries(labels).flatMap(([label, values]) => {
    if (scrapeLabels.includes(label) || (row.kind === 'histogram' && label === 'le')) return [];
    const known = row.labels[label];
    if (known === undefined) return [`${metric}{${label}}`];
    return typeof known === 'string'
      ? []
      : values.filter((value) => !known.includes(value)).map((value) => `${metric}{${label}="${value}"}`);
  });
}

describe('the metrics', () => {
  it('equal the table, with its kinds and help texts', async () => {
    const { text } = await createMetrics().expose();
    const exposed = [...text.matchAll(/^# HELP (guest_token_\w+) (.*)\n# TYPE \1 (\w+)$/gm)];
    const fix = 'create it in src/telemetry/metrics.ts, in the order of src/telemetry/metric-table.ts';
    expect(
      exposed.map(([, name, help, kind]) => ({ name, help, kind })),
      fix,
    ).toEqual(rows.map(({ name, help, kind }) => ({ name, help, kind })));
  });

  it('start at 0 if all values of their labels are known', async () => {
    const { text } = await createMetrics().expose();
    for (const row of rows.filter(({ kind, absent }) => kind !== 'histogram' && absent === undefined))
      for (const labels of knownLabels(row.labels)) {
        const inBraces = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
        const fix = `create ${row.name} with the function for its kind in src/telemetry/metrics.ts`;
        expect(text, fix).toContain(`\n${row.name}${inBraces.length === 0 ? '' : `{${inBraces.join(',')}}`} 0\n`);
      }
  });

  it('have no sample if the table says so', async () => {
    const { text } = await createMetrics().expose();
    for (const { name } of rows.filter(({ absent }) => absent !== undefined))
      expect(text).not.toMatch(new RegExp(`^${name}[ {]`, 'm'));
  });
});

describe('the alerts', () => {
  it('use only existing metrics, labels and values', async () => {
    const { text } = await createMetrics().expose();
    const expressions = [...alertRules, ...recordingRules].map(({ expr }) => expr);
    expect(expressions.flatMap(selectorsOf).flatMap((selector) => unknownIn(selector, text))).toEqual([]);
    expect(expressions.flatMap(selectorsOf).length).toBeGreaterThan(alertRules.length);
  });

  it('count responses with a 5xx status as failed', () => {
    const failed = recordingRules.find(({ record }) => record === 'guest_token:failed:rate5m');
    const [selector] = selectorsOf(failed?.expr ?? '');
    const fix = `correct guest_token:failed:rate5m in ${rulesPath}`;
    expect(selector?.labels['code'], fix).toEqual(errorCodes.filter((code) => errorRow(code).status >= 500));
  });

  it.each(alertRules.map((rule) => [rule.alert, rule] as const))(
    '%s states the problem, and a runbook states what to do',
    (alert, { labels, annotations }) => {
      expect(labels.severity).toMatch(/^(critical|warning)$/);
      expect(annotations.runbook).toBe(`docs/operating/runbooks.md#${alert.toLowerCase()}`);
      const [, section = ''] = readDocument('docs/operating/runbooks.md').split(`\n### ${alert}\n`);
      for (const part of ['**Means**', '**Users see**', '**Look at**', '**Do**'])
        expect(section.split('\n### ')[0]).toContain(part);
    },
  );

  it('all have a case in which they fire and one in which they do not', () => {
    const { tests } = parse(readDocument(ruleTestsPath)) as {
      readonly tests: readonly {
        readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[];
      }[];
    };
    const cases = tests.flatMap((test) => test.alert_rule_test);
    const names = (raised: boolean): readonly string[] =>
      [...new Set(cases.filter((one) => (one.exp_alerts !== undefined) === raised).map((one) => one.alertname))].sort();
    const all = alertRules.map(({ alert }) => alert).sort();
    expect(names(true)).toEqual(all);
    expect(names(false)).toEqual(all);
  });

  it('all have a runbook, and there is no other runbook', () => {
    const headings = [...readDocument('docs/operating/runbooks.md').matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(alertRules.map(({ alert }) => alert));
  });

  it.skipIf(!promtool)(`pass promtool’s checks and tests${needs(promtool, 'prometheus')}`, () => {
    for (const args of [
      ['check', 'rules', rulesPath],
      ['test', 'rules', ruleTestsPath],
    ]) {
      // It lives for seconds: collecting garbage less often saves a quarter of its time.
      const env = { ...process.env, GOGC: '400' };
      const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', env });
      expect(status, `${stdout}${stderr}`).toBe(0);
    }
  });
});

describe('the dashboard', () => {
  const targets = panels.flatMap((panel) => panel.targets ?? []);

  it('uses only existing metrics, labels and values', async () => {
    const { text } = await createMetrics().expose();
    const plain = targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m'));
    expect(plain.flatMap(selectorsOf).flatMap((selector) => unknownIn(selector, text))).toEqual([]);
  });

  it('shows every metric of the table', () => {
    const shown = new Set(
      targets.flatMap(({ expr }) => selectorsOf(expr)).map(({ metric }) => rowOf.get(metric)?.name),
    );
    const missing = rows.map(({ name }) => name).filter((name) => !shown.has(name));
    expect(missing, `add a panel to ${dashboardPath}`).toEqual([]);
  });

  it('describes every panel, and can be limited to one deployment', () => {
    expect(dashboard.uid).toBe('guest-token-proxy');
    for (const panel of panels.filter(({ type }) => type !== 'row')) {
      expect(panel.description?.length, panel.title).toBeGreaterThan(4);
      for (const { expr } of panel.targets ?? []) expect(expr).toMatch(/\{namespace=~"\$namespace", job=~"\$job"/);
    }
  });
});
