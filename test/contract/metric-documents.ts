// Parses the documents that use metrics: the alert rules and the dashboard.
import { parse } from 'yaml';
import { readDocument } from './settings-documents.ts';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertRule | RecordingRule)[] }[];
}

export const rulesPath = 'deploy/prometheus/guest-token-proxy.rules.yaml';
export const ruleTestsPath = 'deploy/prometheus/guest-token-proxy.rules.test.yaml';
export const dashboardPath = 'deploy/grafana/guest-token-proxy.json';

const rules = (parse(readDocument(rulesPath)) as RuleFile).groups.flatMap((group) => group.rules);
export const alertRules = rules.filter((rule): rule is AlertRule => 'alert' in rule);
export const recordingRules = rules.filter((rule): rule is RecordingRule => 'record' in rule);

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly w: number };
  readonly fieldConfig?: {
    readonly defaults: { readonly unit: string; readonly custom?: { readonly stacking: { readonly mode: string } } };
  };
  readonly description?: string;
  readonly panels?: readonly Panel[];
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

export const dashboard = JSON.parse(readDocument(dashboardPath)) as {
  readonly title: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
};
export const panels = dashboard.panels.flatMap((panel) => panel.panels ?? [panel]);

export interface Selector {
  readonly metric: string;
  /** Label → the values that it is compared with. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** Every selector of a metric in a PromQL expression, with the values that its matchers name. */
export function selectorsOf(expression: string): readonly Selector[] {
  return [...expression.matchAll(/\b([a-zA-Z_:][\w:]*)\{([^}]*)\}|\b((?:guest_token|process|nodejs)_\w+)/g)].map(
    ([, withLabels, matchers = '', bare]) => ({
      metric: withLabels ?? bare ?? '',
      labels: Object.fromEntries(
        [...matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label = '', , value = '']) => [
          label,
          value.split('|'),
        ]),
      ),
    }),
  );
}
