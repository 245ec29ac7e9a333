// The work of an evaluation is bounded. test/policy/cel-reference.test.ts compares results with the reference.
import { describe, expect, it } from 'vitest';
import { fuelPerDecision } from '../../../../src/policy/expression/evaluation.ts';
import { celResult } from '../../../policy/cel-value.ts';

describe('an expression', () => {
  it('ends within its fuel and in little CPU time, whatever the claims', () => {
    const long = Array.from({ length: 3000 }, (_, i) => `e${i}`);
    const claims = {
      l: long,
      t: 'a'.repeat(8000),
      deep: JSON.parse(`${'['.repeat(3000)}${']'.repeat(3000)}`) as unknown,
    };
    const costly = [
      'claims.l.exists(x, claims.l.exists(y, claims.l.exists(z, x + y == z)))',
      'claims.l.map(x, claims.l.map(y, x + y))',
      'claims.l.all(x, claims.t.contains(claims.t + x) == false)',
      'claims.l.map(x, claims.l + claims.l).size() > 0',
      'claims.l.map(x, claims.t + claims.t + claims.t).join(claims.t)',
      'claims.l.map(x, claims.t.split("")).size() > 1',
      'claims.l.exists(x, claims.missing == x || claims.missing == x)',
      'claims.l.all(x, claims.l == claims.l + [])',
      'claims.l.map(x, claims.t.lowerAscii()).size() == 0',
      'claims.l.map(x, size(claims.t)).size() == 0',
      'claims.deep == claims.deep || claims.deep == [claims.deep]',
    ];
    for (const expression of costly) {
      const start = process.cpuUsage();
      celResult(expression, claims);
      const { user, system } = process.cpuUsage(start);
      expect([expression, user + system < 250_000]).toEqual([expression, true]);
    }
    expect(celResult(costly[0] ?? '', claims)).toBe('run');
    expect(celResult(costly[1] ?? '', claims)).toBe('run');
    expect(fuelPerDecision).toBeLessThanOrEqual(50_000);
  });
});
