// A list of texts in `request`: literals and expressions side by side, lists that expressions give spliced in.
import { splicedListField, type Field } from './field.ts';
import type { PolicyCompiler, ScalarOptions } from './policy-compiler.ts';
import { expressionIn } from './scalar-expression.ts';
import type { Path } from '../document/policy-document.ts';
import type { Reference } from '../policy.ts';
import { Refusal } from '../refusal.ts';
import { listRule, type Rule } from './value-rules.ts';

export interface RequestScope {
  readonly compiler: PolicyCompiler;
  readonly dataApp: string;
  /** Path of `request` in the file. */
  readonly root: Path;
  readonly references: Reference[];
  /** For texts that expressions give to filters. */
  readonly filterText: Rule<string>;
}

/** A list of texts as the file writes it: every element a literal or an expression that gives a text or a list. */
export function textListField(
  scope: RequestScope,
  path: Path,
  items: readonly unknown[],
  sitePath: string,
  bodyPath: (index: number) => string,
  options: Pick<ScalarOptions<unknown>, 'kind' | 'reason'> & {
    readonly element: Rule<string>;
    readonly literalElement: Rule<string>;
    readonly allowEmpty: boolean;
    readonly onLiteral?: (value: string, path: Path) => void;
  },
): Field<readonly string[]> | undefined {
  const { compiler } = scope;
  const many = listRule(options.element, true);
  const sites = new Map<number, number>();
  const fields = items.map((item, i) => {
    if (expressionIn(item) !== undefined) sites.set(i, compiler.sites.length);
    else if (typeof item === 'string') options.onLiteral?.(item, [...path, i]);
    return compiler.scalar<string | readonly string[]>([...path, i], item, `${sitePath}[${i}]`, {
      kind: options.kind,
      reason: options.reason,
      expected: ['string', 'list'],
      rule: (value, refuse, pay) =>
        Array.isArray(value) ? many(value, refuse, pay) : options.element(value, refuse, pay),
      literalRule: options.literalElement,
    });
  });
  if (!fields.every((field) => field !== undefined)) return undefined;

  const lastSite = [...sites.values()].map((id) => compiler.sites[id]).at(-1);
  return splicedListField(
    fields,
    (list) => {
      if (list.length === 0 && !options.allowEmpty && lastSite !== undefined)
        throw new Refusal(options.reason, `${sitePath} is an empty list`, lastSite, undefined);
      return list;
    },
    (evaluation, index, item, from, to) => {
      const site = compiler.sites[sites.get(item) ?? -1];
      for (let at = from; site !== undefined && at < to; at += 1)
        evaluation.trace?.placed(site, `${bodyPath(index)}[${at}]`);
    },
  );
}
