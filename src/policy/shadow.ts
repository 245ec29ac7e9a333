// Compares what the policy decided with what a shadow policy would have decided: by field path, never with values, so
// that the result can be logged.
import type { Decision } from './decision.ts';
import { treeDifferences } from './tree-difference.ts';

export interface ShadowDifference {
  /** `decision`, `code`, `reason`, `apiKeyName`, `lifetimeMs`, or a field of the body: `params.appFilters[0].metricId`. */
  readonly path: string;
  /** Seen from the shadow: it has the field in addition, lacks it, or has another value. */
  readonly change: 'added' | 'removed' | 'changed';
}

const mostDifferences = 50;

/** What is compared of a decision; the policies' revisions and the positions of rules are not. */
function comparable(decision: Decision): object {
  if (decision.kind === 'deny') return { code: decision.denial.code, reason: decision.denial.reason };
  const { apiKeyName, lifetimeMs, request } = decision.grant;
  return { apiKeyName, lifetimeMs, ...request };
}

/**
 * Where the shadow's decision differs; empty if it is the same. At most 50 differences. The order of keys does not
 * matter, the order of lists does.
 */
export function compareShadow(real: Decision, shadow: Decision): readonly ShadowDifference[] {
  if (real.kind !== shadow.kind) return [{ path: 'decision', change: 'changed' }];
  const found: ShadowDifference[] = [];
  for (const { path, left, right } of treeDifferences(comparable(real), comparable(shadow))) {
    if (found.length === mostDifferences) break;
    found.push({ path, change: left === undefined ? 'added' : right === undefined ? 'removed' : 'changed' });
  }
  return found;
}
