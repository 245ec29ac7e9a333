// A YAML list of flat maps, read strictly: known keys only, right types only, no anchors, tags or duplicate keys, and
// every complaint with file, line and column. Values are never printed: some are secrets.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Node, type YAMLMap } from 'yaml';
import { closest } from '../closest.ts';
import type { Problem } from '../problem.ts';

const maxCharacters = 262_144;

export interface YamlEntry<Member extends string> {
  readonly has: (member: Member) => boolean;
  /** `file:line:column` of the member's value, or of the entry if it has none. */
  readonly where: (member: Member) => string;
  /** The value if present and right; a problem, and undefined, if present and wrong. */
  readonly text: (member: Member) => string | undefined;
  /** One string or a list of strings. */
  readonly texts: (member: Member) => readonly string[] | undefined;
  readonly integer: (member: Member, min: number, max: number) => number | undefined;
  readonly flag: (member: Member) => boolean | undefined;
  readonly report: (member: Member, what: string, mend: string) => undefined;
  readonly missing: (member: Member, meaning: string) => undefined;
}

type At = (node: Node | null | undefined) => string;

function createEntry<Member extends string>(map: YAMLMap, at: At, problems: Problem[]): YamlEntry<Member> {
  const nodeOf = (member: Member): Node | undefined => {
    const node: unknown = map.get(member, true);
    return isScalar(node) || isSeq(node) || isMap(node) ? node : undefined;
  };
  const where = (member: Member): string => at(nodeOf(member) ?? map);
  const report = (member: Member, what: string, mend: string): undefined => {
    problems.push({ where: where(member), what: `${member} ${what}`, mend });
    return undefined;
  };
  const has = (member: Member): boolean => map.has(member);

  return {
    has,
    where,
    report,
    missing: (member, meaning) => report(member, 'is missing', `Set ${member} to ${meaning}`),
    text: (member) => {
      if (!has(member)) return undefined;
      const node = nodeOf(member);
      if (isScalar(node) && typeof node.value === 'string' && node.value.trim() !== '') return node.value;
      return report(member, 'is not text', 'Set text; put quotes around it if it looks like a number');
    },
    texts: (member) => {
      if (!has(member)) return undefined;
      const node = nodeOf(member);
      const items: readonly unknown[] = isSeq(node) ? node.items : [node];
      const values = items.map((item) => (isScalar(item) ? item.value : undefined));
      if (values.every((value) => typeof value === 'string')) return values;
      return report(member, 'is neither text nor a list of texts', 'Set one text or a list, with quotes where needed');
    },
    flag: (member) => {
      if (!has(member)) return undefined;
      const node = nodeOf(member);
      const value: unknown = isScalar(node) ? node.value : undefined;
      return typeof value === 'boolean' ? value : report(member, 'is neither true nor false', 'Set true or false');
    },
    integer: (member, min, max) => {
      if (!has(member)) return undefined;
      const node = nodeOf(member);
      const value: unknown = isScalar(node) ? node.value : undefined;
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
      return report(member, 'is not a number in range', `Set a whole number from ${min} to ${max}`);
    },
  };
}

export function readYamlList<const Member extends string>(
  text: string,
  file: string,
  members: readonly Member[],
): { entries: readonly YamlEntry<Member>[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const fail = (where: string, what: string, mend: string) => {
    problems.push({ where, what, mend });
    return { entries: [], problems };
  };
  if (text.length > maxCharacters) return fail(file, 'is larger than 256 KiB', 'Shorten it');

  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: false, uniqueKeys: true, prettyErrors: false });
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const at: At = (node) => position(node?.range?.[0] ?? 0);

  for (const error of [...document.errors, ...document.warnings]) {
    // The library's message may quote the file, which may hold a secret.
    fail(position(error.pos[0]), `is not strict YAML (${error.code})`, 'Mend the syntax there');
  }
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node) || ('anchor' in node && node.anchor !== undefined)) {
        fail(at(node), 'uses an anchor or alias', 'Write the value out');
      }
      if ('tag' in node && node.tag !== undefined) fail(at(node), 'uses a tag', 'Write the value without it');
    },
  });
  if (problems.length > 0) return { entries: [], problems };

  const list = document.contents;
  if (!isSeq(list) || list.items.length === 0)
    return fail(file, 'is not a list of issuers', 'Start it with "- issuer:"');
  const entries: YamlEntry<Member>[] = [];
  for (const item of list.items as readonly Node[]) {
    if (!isMap(item)) {
      fail(at(item), 'is not an issuer', 'Write "issuer: …" and so on');
      continue;
    }
    for (const { key } of item.items) {
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : '';
      if (members.some((member) => member === name)) continue;
      const near = closest(name, members);
      const mend = near === undefined ? `Use some of ${members.join(', ')}` : `Did you mean ${near}`;
      fail(at(isScalar(key) ? key : item), 'is not a key that an issuer has', mend);
    }
    entries.push(createEntry<Member>(item, at, problems));
  }
  return { entries, problems };
}
