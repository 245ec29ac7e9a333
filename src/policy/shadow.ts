// Compares a decision with that of the shadow policy. The result names fields but never values, so it can be logged.
import type { Decision } from './decision.ts';
import { treeDifferences } from './tree-difference.ts';

export interface ShadowDifference {
  /**
   * `decision`, `code`, `reason`, `apiKeyName`, `lifetimeMs`, or a field of the body: `params.appFilters[0].metricId`.
   */
  readonly path: string;
  /** Whether the shadow adds the field, lacks it, or has a different value. */
  readonly change: 'added' | 'removed' | 'changed';
}

const maxDifferences = 50;

/** The compared part of a decision, without revisions and positions of rules. */
function comparable(decision: Decision): object {
  if (decision.kind === 'deny') return { code: decision.denial.code, reason: decision.denial.reason };
  const { apiKeyName, lifetimeMs, request } = decision.grant;
  return { apiKeyName, lifetimeMs, ...request };
}

/**
 * The differences of the shadow's decision, at most 50; empty if it is the same. The order of keys does not matter, the
 * order of lists does.
 */
export function compareShadow(real: Decision, shadow: Decision): readonly ShadowDifference[] {
  if (real.kind !== shadow.kind) return [{ path: 'decision', change: 'changed' }];
  const found: ShadowDifference[] = [];
  for (const { path, left, right } of treeDifferences(comparable(real), comparable(shadow))) {
    if (found.length === maxDifferences) break;
    found.push({ path, change: left === undefined ? 'added' : right === undefined ? 'removed' : 'changed' });
  }
  return found;
}
