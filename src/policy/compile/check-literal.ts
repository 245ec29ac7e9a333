// What the file says as it is, checked once when the file loads: no decision looks at it again.
import { readsLikeExpression } from './scalar-expression.ts';
import type { Refuse, Rule } from './value-rules.ts';

class LiteralFault extends Error {}

/** A literal that its rule takes, or what is wrong with it and, if it can be told, what to write instead. */
export function checkLiteral<T>(
  value: unknown,
  rule: Rule<T>,
): { readonly value: T } | { readonly what: string; readonly mend?: string } {
  if (typeof value === 'string' && readsLikeExpression(value)) {
    const meant = value.replace(/^[\s${]+|[\s}]+$/g, '');
    const mend = `Write \${${meant}}, or \${${JSON.stringify(value)}} if that very text is meant`;
    return { what: 'reads like an expression, but is a text', mend };
  }
  const refuse: Refuse = (what) => {
    throw new LiteralFault(what);
  };
  try {
    return { value: rule(value, refuse, () => undefined) };
  } catch (error) {
    if (!(error instanceof LiteralFault)) throw error;
    return { what: error.message };
  }
}
