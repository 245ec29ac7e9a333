// Parts of the body. Constant parts are built and frozen once at load; others are built by closures for each decision,
// and frozen.
import type { Evaluation } from '../expression/evaluation.ts';

export type Field<T> =
  | { readonly constant: true; readonly value: T }
  | { readonly constant: false; readonly compute: Compute<T> };

/** `index`: the index of the entry in the body's filter list, for the trace; 0 outside lists. */
type Compute<T> = (evaluation: Evaluation, index?: number) => T;

export const constant = <T>(value: T): Field<T> => ({ constant: true, value });

export const computer = <T>(field: Field<T>): Compute<T> => (field.constant ? () => field.value : field.compute);

/** A map with these keys; undefined if one of its members had a problem. */
export function completeObjectField(
  entries: readonly (readonly [string, Field<unknown> | undefined])[],
): Field<Readonly<Record<string, unknown>>> | undefined {
  const complete = entries.flatMap(([key, field]) => (field === undefined ? [] : [[key, field] as const]));
  return complete.length === entries.length ? objectField(complete) : undefined;
}

/**
 * A map with these keys. They are computed in the order given, and stand in the order of canonical JSON (RFC 8785
 * §3.2.3), so that the text of a body is the canonical one without sorting it again for every decision.
 */
function objectField(
  entries: readonly (readonly [string, Field<unknown>])[],
): Field<Readonly<Record<string, unknown>>> {
  const skeleton: Record<string, unknown> = {};
  const inOrder = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, field] of inOrder) skeleton[key] = field.constant ? field.value : undefined;
  const computed = entries.flatMap(([key, field]) => (field.constant ? [] : [{ key, compute: field.compute }]));
  if (computed.length === 0) return constant(Object.freeze(skeleton));
  return {
    constant: false,
    compute: (evaluation, index) => {
      const object = { ...skeleton };
      for (const { key, compute } of computed) object[key] = compute(evaluation, index);
      return Object.freeze(object);
    },
  };
}

/** An entry that is included only if its condition is true. */
export interface ConditionalField<T> {
  readonly condition: ((evaluation: Evaluation) => boolean) | undefined;
  readonly field: Field<T>;
}

/** A list of the entries whose conditions are true. May be empty; never left out. */
export function conditionalListField<T>(entries: readonly ConditionalField<T>[]): Field<readonly T[]> {
  if (entries.every(({ condition, field }) => condition === undefined && field.constant))
    return constant(Object.freeze(entries.flatMap(({ field }) => (field.constant ? [field.value] : []))));
  const compiled = entries.map(({ condition, field }) => ({ condition, compute: computer(field) }));
  return {
    constant: false,
    compute: (evaluation) => {
      const list: T[] = [];
      for (const { condition, compute } of compiled)
        if (condition === undefined || condition(evaluation)) list.push(compute(evaluation, list.length));
      return Object.freeze(list);
    },
  };
}

/** A list of strings. An element that evaluates to a list is spliced in. */
export function splicedListField(
  items: readonly Field<string | readonly string[]>[],
  finish: (list: readonly string[]) => readonly string[],
  placed: (evaluation: Evaluation, index: number, item: number, from: number, to: number) => void,
): Field<readonly string[]> {
  if (items.every((item) => item.constant))
    return constant(Object.freeze(items.flatMap((item) => (item.constant ? item.value : []))));
  const computes = items.map((item) => computer(item));
  return {
    constant: false,
    compute: (evaluation, index = 0) => {
      const list: string[] = [];
      for (const [item, compute] of computes.entries()) {
        const from = list.length;
        const value = compute(evaluation, index);
        if (typeof value === 'string') list.push(value);
        else list.push(...value);
        if (evaluation.trace !== undefined) placed(evaluation, index, item, from, list.length);
      }
      return Object.freeze(finish(list));
    },
  };
}
