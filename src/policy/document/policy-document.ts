// The policy file as YAML: plain data plus the position of every node. Refuses what YAML can do and a policy has no use
// for: aliases, merge keys, tags, directives, several documents, keys that are not text, sizes and depths beyond need.
import {
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Parser,
  type Pair,
  type Scalar,
} from 'yaml';
import { ConfigurationError, type Problem } from '../../problem.ts';

export type Path = readonly (string | number)[];

export interface PolicyDocument {
  readonly value: unknown;
  /** `file:line:column` of the value at a path, or of the nearest node above it that exists. */
  readonly positionOf: (path: Path) => string;
  /** `file:line:column` of the key that ends a path. */
  readonly positionOfKey: (path: Path) => string;
  /** `file:line:column` of an offset into the text of the scalar at a path. */
  readonly positionInText: (path: Path, offset: number) => string;
}

const longestFile = 512 * 1024;
const deepest = 24;
/** Not usable as names: on a plain object they would mean something else. */
const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype', '<<']);

/** Depth of nesting, measured without recursion so that no input can exhaust the stack. */
function tooDeepAt(text: string): number | undefined {
  const pending: { token: CST.Token | null | undefined; depth: number }[] = [];
  for (const token of new Parser().parse(text)) pending.push({ token, depth: 0 });
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { token, depth } = entry;
    if (token === null || token === undefined) continue;
    if (depth > deepest) return token.offset;
    if ('items' in token)
      for (const item of token.items)
        pending.push({ token: item.key, depth: depth + 1 }, { token: item.value, depth: depth + 1 });
    else if (token.type === 'document') pending.push({ token: token.value, depth });
  }
  return undefined;
}

const keyText = (pair: Pair): string | undefined =>
  isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined;

/** Throws ConfigurationError with every problem of the YAML itself. */
export function parsePolicyDocument(text: string, file: string): PolicyDocument {
  const fail = (problems: readonly Problem[]): never => {
    throw new ConfigurationError(problems);
  };
  if (text.length > longestFile)
    fail([{ where: file, what: 'the policy is larger than 512 KiB', mend: 'Make it smaller' }]);

  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const deepAt = tooDeepAt(text);
  if (deepAt !== undefined) {
    lines.addNewLine(0);
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
    fail([{ where: at(deepAt), what: `nested more than ${deepest} levels deep`, mend: 'Write it flatter' }]);
  }

  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: true,
    strict: true,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'error',
  });
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    where: at(error.pos[0]),
    what: `not valid YAML: ${error.message}`,
    mend:
      error.code === 'DUPLICATE_KEY'
        ? 'Remove one of the two'
        : 'Mend the YAML; put quotes around ${ … } inside { } and [ ]',
  }));
  if (/^\ufeff?%/m.test(text.slice(0, document.contents?.range?.[0] ?? 0)))
    problems.push({ where: at(0), what: 'YAML directives (%…) are not allowed', mend: 'Remove them' });

  const refuse = (node: Node, what: string, mend: string): undefined => {
    problems.push({ where: at(node.range?.[0] ?? 0), what, mend });
    return undefined;
  };

  const scalarValue = (node: Scalar): unknown => {
    const { value, source = '' } = node;
    if (typeof value !== 'number' || String(value) === source) return value;
    if (!Number.isFinite(value)) return refuse(node, `${source} is not a finite number`, 'Write a number');
    const instead = Number.isInteger(value) && !Number.isSafeInteger(value) ? 'Write another number' : `Write ${value}`;
    const mend = `${instead}, or put quotes around ${source} if it is meant as text`;
    return refuse(node, `${source} would be read as the number ${value}`, mend);
  };

  const toValue = (node: unknown): unknown => {
    if (isAlias(node)) return refuse(node, 'YAML aliases (*name) are not allowed', 'Write the value out');
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return null;
    if (node.tag !== undefined) return refuse(node, 'YAML tags (!…) are not allowed', 'Remove the tag');
    if (node.anchor !== undefined) return refuse(node, 'YAML anchors (&name) are not allowed', 'Remove the anchor');
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) return node.items.map(toValue);
    const object: Record<string, unknown> = {};
    for (const pair of node.items) {
      const key = keyText(pair);
      const keyNode = pair.key as Node;
      if (key === undefined) refuse(keyNode, 'a key must be text', 'Put quotes around it');
      else if (forbiddenNames.has(key)) refuse(keyNode, `"${key}" cannot be a key`, 'Choose another name');
      else if (isScalar(keyNode) && (keyNode.tag !== undefined || keyNode.anchor !== undefined))
        refuse(keyNode, 'YAML tags and anchors are not allowed', 'Remove them');
      else object[key] = toValue(pair.value);
    }
    return object;
  };
  const value = problems.length === 0 ? toValue(document.contents) : undefined;
  if (problems.length > 0) fail(problems);

  const pairAt = (path: Path): { node: unknown; pair: Pair | undefined; last: Node | undefined } => {
    let node: unknown = document.contents;
    let pair: Pair | undefined;
    let last: Node | undefined = document.contents ?? undefined;
    for (const segment of path) {
      pair = undefined;
      if (isMap(node)) {
        pair = node.items.find((item) => keyText(item) === segment);
        node = pair?.value;
      } else if (isSeq(node) && typeof segment === 'number') node = node.items[segment];
      else node = undefined;
      if (isScalar(node) || isMap(node) || isSeq(node)) last = node;
      else if (pair !== undefined) last = pair.key as Node;
    }
    return { node, pair, last };
  };

  const positionOf = (path: Path): string => at(pairAt(path).last?.range?.[0] ?? 0);

  return {
    value,
    positionOf,
    positionOfKey: (path) => {
      const { pair } = pairAt(path);
      return pair === undefined ? positionOf(path) : at((pair.key as Node).range?.[0] ?? 0);
    },
    positionInText: (path, offset) => {
      const { node } = pairAt(path);
      if (!isScalar(node) || !node.range) return positionOf(path);
      const quote = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
      const start = node.range[0] + quote;
      // Escapes, folding and block indentation move the text: then the scalar's start must do.
      const verbatim = text.startsWith((node as Scalar<string>).value, start);
      return at(verbatim ? start + offset : node.range[0]);
    },
  };
}
