// Compares the expression language with cel-go, whose results are data here: the results are equal, or we refuse.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Claims } from '../../src/authn/principal.ts';
import { celResult, type CelResult } from './cel-value.ts';

interface ReferenceGroup {
  readonly title: string;
  /** The reason for another result in the cases with `ours`. */
  readonly because?: string;
  readonly cases: readonly {
    readonly expression: string;
    readonly claims?: Claims;
    readonly reference: CelResult;
    readonly ours?: CelResult;
  }[];
}

const file = (name: string): string => readFileSync(join(import.meta.dirname, 'reference', name), 'utf8');
const isRefusal = (result: CelResult): boolean => typeof result === 'string';

const groups = parse(file('cel-go.yaml'), { intAsBigInt: false }) as readonly ReferenceGroup[];

describe.each(groups.map((group) => [group.title, group] as const))('%s', (_title, { because, cases }) => {
  it.each(cases.map((one) => [one.expression, one] as const))('%s', (expression, { claims, reference, ours }) => {
    expect(celResult(expression, claims)).toEqual(ours ?? reference);
    // Without a reason, only the time of the refusal may differ.
    if (ours !== undefined && because === undefined)
      expect([isRefusal(ours), isRefusal(reference)]).toEqual([true, true]);
  });
});

describe('generated expressions', () => {
  const rows = file('cel-go-generated.jsonl')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as readonly [string, Claims, CelResult]);

  it('have the result of the reference, or are refused', () => {
    const open: unknown[] = [];
    let refused = 0;
    for (const [expression, claims, reference] of rows) {
      const ours = celResult(expression, claims);
      if (isRefusal(ours)) refused += isRefusal(reference) ? 0 : 1;
      else if (JSON.stringify(ours) !== JSON.stringify(reference)) open.push([expression, claims, reference, ours]);
    }
    expect(rows.length).toBeGreaterThan(1300);
    expect(open).toEqual([]);
    expect(refused).toBeLessThanOrEqual(60);
  });
});
