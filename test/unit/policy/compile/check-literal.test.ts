import { describe, expect, it } from 'vitest';
import { checkLiteral } from '../../../../src/policy/compile/check-literal.ts';
import type { Rule } from '../../../../src/policy/compile/value-rules.ts';

const anything: Rule<unknown> = (value) => value;

describe('a literal', () => {
  it.each(['acme', 'claims', 'all claims. Open ones', 'claims-overview', 'variables', 'myclaims.x', 5, true, null])(
    'is taken as its rule takes it: %s',
    (value) => {
      expect(checkLiteral(value, anything)).toEqual({ value });
    },
  );

  it('is refused in the words of its rule', () => {
    expect(checkLiteral('a', (_value, refuse) => refuse('is too short'))).toEqual({ what: 'is too short' });
  });

  it('does not hide a bug in a rule', () => {
    expect(() =>
      checkLiteral('a', () => {
        throw new TypeError('bug');
      }),
    ).toThrow(TypeError);
  });

  it.each([
    'claims.org_id',
    'claims["org_id"]',
    'claims[?"x"]',
    'claims.?org',
    'variables.tenant',
    '"x" + claims.org',
    'size(claims.l)',
  ])('is not taken when it reads like an expression: %s', (value) => {
    expect(checkLiteral(value, anything)).toEqual({
      what: 'reads like an expression, but is a text',
      mend: `Write \${${value}}, or \${${JSON.stringify(value)}} if that very text is meant`,
    });
  });

  it.each(['{{claims.sub}}', '{{ claims.sub }}', '$claims.sub', '${claims.sub', '{claims.sub}'])(
    'is not taken with the marks of other languages, and the mend is without them: %s',
    (value) => {
      expect(checkLiteral(value, anything)).toMatchObject({
        mend: `Write \${claims.sub}, or \${${JSON.stringify(value)}} if that very text is meant`,
      });
    },
  );

  it('makes no work that anybody pays for', () => {
    expect(checkLiteral('a', (_value, _refuse, pay) => pay(1_000_000))).toEqual({ value: undefined });
  });
});
