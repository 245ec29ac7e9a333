// Members of claims, maps, lists and optional values: `a.b`, `a[b]`, `a.?b`, `has(a.b)`, `a.?b.orValue(c)`.
import type { ServiceError } from '../../errors.ts';
import type { ASTNode } from '@marcbachmann/cel-js';
import { claimReadBy, excerpt } from './cel-tree.ts';
import { flawOf, flaws, isMap, member, none, Optional, typeName } from './cel-values.ts';
import { expressionFailure, type Evaluation, type Evaluate } from './evaluation.ts';

const missing = (node: ASTNode): ServiceError => expressionFailure(`"${excerpt(node)}" is missing`, claimReadBy(node));

/** The value, unless it is unusable. */
function usable(evaluation: Evaluation, value: unknown, node: ASTNode): unknown {
  const flaw = flawOf(evaluation, value);
  if (flaw === undefined) return value;
  throw expressionFailure(`"${excerpt(node)}" contains ${flaws[flaw]}`, claimReadBy(node));
}

/** `claims.name`, the most frequent access. */
export const compileClaim =
  (name: string, node: ASTNode): Evaluate =>
  (evaluation) => {
    const { claims } = evaluation;
    if (!Object.hasOwn(claims, name)) throw missing(node);
    return usable(evaluation, claims[name], node);
  };

/** `a.b` and `a[b]`; on an optional value the result is optional again. */
export const compileAccess =
  (container: Evaluate, key: Evaluate, node: ASTNode): Evaluate =>
  (evaluation) => {
    const holder = container(evaluation);
    if (holder instanceof Optional) return select(evaluation, holder, key(evaluation), node);
    const value = member(holder, key(evaluation));
    if (value === undefined) throw missing(node);
    return usable(evaluation, value, node);
  };

const isIndex = (key: unknown): boolean => typeof key === 'bigint' || Number.isSafeInteger(key);

/** The member as an optional value. Null has none, and neither has an optional value that is absent. */
export const select = (evaluation: Evaluation, holder: unknown, key: unknown, node: ASTNode): Optional => {
  const container = holder instanceof Optional ? holder.value : holder;
  const absent = container === null || (holder instanceof Optional && !holder.present);
  const fits =
    typeof key === 'string' ? absent || isMap(container) : isIndex(key) && (absent || Array.isArray(container));
  if (!fits)
    throw expressionFailure(
      `"${excerpt(node)}" looks into a ${typeName(container)} by a ${typeName(key)}`,
      claimReadBy(node),
    );
  if (absent) return none;
  const value = member(container, key);
  return value === undefined ? none : new Optional(true, usable(evaluation, value, node));
};

/** orValue(), or(), hasValue() and value() of an optional value. */
export function compileOptionalMethod(
  name: string,
  holder: Evaluate,
  fallback: Evaluate | undefined,
  receiver: ASTNode,
): Evaluate {
  const optional = (value: unknown): Optional => {
    if (value instanceof Optional) return value;
    throw expressionFailure(`${name}() needs an optional value such as claims.?email`, claimReadBy(receiver));
  };
  const held = (evaluation: Evaluation): Optional => optional(holder(evaluation));
  if (fallback !== undefined)
    return (evaluation) => {
      const value = held(evaluation);
      if (name === 'or') return value.present ? value : optional(fallback(evaluation));
      return value.present ? value.value : fallback(evaluation);
    };
  if (name === 'hasValue') return (evaluation) => held(evaluation).present;
  return (evaluation) => {
    const value = held(evaluation);
    if (value.present) return value.value;
    throw missing(receiver);
  };
}
