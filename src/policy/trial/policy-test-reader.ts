// Reads single members of a policy test file and notes every problem with its position.
import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { closest } from '../../closest.ts';
import type { Problem } from '../../problem.ts';

export interface Member {
  readonly key: Node;
  readonly value: Node | null;
}

export interface PolicyTestReader {
  readonly problems: Problem[];
  /** `file:line:column` of an offset into the text. */
  readonly position: (offset: number | undefined) => string;
  readonly report: (node: Node | null | undefined, what: string, mend: string) => undefined;
  /** The members of a mapping, by name; every other key is a problem. */
  readonly members: (map: YAMLMap, known: readonly string[]) => ReadonlyMap<string, Member>;
  /** Text that is not empty. */
  readonly text: (member: Member | undefined, name: string) => string | undefined;
  /** A mapping of any kind; empty when absent. */
  readonly claims: (member: Member | undefined) => Record<string, unknown>;
  /** A list of names; empty when absent. */
  readonly names: (member: Member | undefined) => readonly string[];
  readonly toJs: (node: Node) => unknown;
}

export function createPolicyTestReader(
  file: string,
  lines: LineCounter,
  document: Document,
  maxAliasCount: number,
): PolicyTestReader {
  const problems: Problem[] = [];

  const position = (offset: number | undefined): string => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };

  const report: PolicyTestReader['report'] = (node, what, mend) => {
    problems.push({ where: position(node?.range?.[0]), what, mend });
    return undefined;
  };

  const toJs = (node: Node): unknown => {
    try {
      return node.toJS(document, { maxAliasCount }) as unknown;
    } catch {
      return report(node, 'uses an alias that cannot be resolved', 'Write the value out');
    }
  };

  return {
    problems,
    position,
    report,
    toJs,
    members: (map, known) => {
      const found = new Map<string, Member>();
      for (const { key, value } of map.items as readonly { key: Node; value: Node | null }[]) {
        const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
        if (name !== undefined && known.includes(name)) {
          found.set(name, { key, value: isAlias(value) ? (value.resolve(document) ?? null) : value });
          continue;
        }
        const near = name === undefined ? undefined : closest(name, known);
        const mend = near === undefined ? `Use ${known.join(', ')}` : `Did you mean ${near}`;
        report(key, name === undefined ? 'a key is not text' : `"${name}" is not a key here`, mend);
      }
      return found;
    },
    text: (member, name) => {
      if (member === undefined) return undefined;
      const { value } = member;
      if (isScalar(value) && typeof value.value === 'string' && value.value !== '') return value.value;
      return report(value ?? member.key, `${name} is not text`, 'Write text, in quotes if need be');
    },
    claims: (member) => {
      if (member === undefined) return {};
      if (isMap(member.value)) return { ...(toJs(member.value) as Record<string, unknown> | undefined) };
      report(member.value ?? member.key, 'claims are not a mapping', 'Write the claims set as name: value');
      return {};
    },
    names: (member) => {
      if (member === undefined) return [];
      const names: unknown = isSeq(member.value) ? toJs(member.value) : undefined;
      if (Array.isArray(names) && names.every((name): name is string => typeof name === 'string')) return names;
      report(member.value ?? member.key, 'without is not a list of claim names', 'Write [name, …]');
      return [];
    },
  };
}
