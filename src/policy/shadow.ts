// Compares what the policy decided with what a shadow policy would have decided: by field path, never with values, so
// that the result can be logged.
import type { Decision } from './decision.ts';

export interface ShadowDifference {
  /** `decision`, `code`, `apiKeyName`, `lifetimeMs`, or a field of the body such as `params.appFilters[0].values.country`. */
  readonly path: string;
  /** Seen from the shadow: it has the field in addition, lacks it, or has another value. */
  readonly change: 'added' | 'removed' | 'changed';
}

const mostDifferences = 50;

type Compared = Readonly<Record<string, unknown>> | readonly unknown[];

const isComposite = (value: unknown): value is Compared => typeof value === 'object' && value !== null;

function compareValues(real: unknown, shadow: unknown, path: string, found: ShadowDifference[]): void {
  if (found.length >= mostDifferences || Object.is(real, shadow)) return;
  if (!isComposite(real) || !isComposite(shadow) || Array.isArray(real) !== Array.isArray(shadow)) {
    const change = real === undefined ? 'added' : shadow === undefined ? 'removed' : 'changed';
    found.push({ path, change });
    return;
  }
  const [left, right] = [new Map(Object.entries(real)), new Map(Object.entries(shadow))];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const below = Array.isArray(real) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    compareValues(left.get(key), right.get(key), below, found);
  }
}

/**
 * Where the shadow's decision differs; empty if it is the same. At most 50 differences. The order of keys does not
 * matter, the order of lists does. The policies' revisions and the positions of rules are not compared.
 */
export function compareShadow(real: Decision, shadow: Decision): readonly ShadowDifference[] {
  const found: ShadowDifference[] = [];
  if (real.kind === 'permit' && shadow.kind === 'permit') {
    const [left, right] = [real.grant, shadow.grant];
    compareValues(left.apiKeyName, right.apiKeyName, 'apiKeyName', found);
    compareValues(left.lifetimeMs, right.lifetimeMs, 'lifetimeMs', found);
    compareValues(left.request, right.request, '', found);
  } else if (real.kind === 'deny' && shadow.kind === 'deny') {
    compareValues(real.denial.code, shadow.denial.code, 'code', found);
    compareValues(real.denial.reason, shadow.denial.reason, 'reason', found);
  } else found.push({ path: 'decision', change: 'changed' });
  return found;
}
