// Parses YAML 1.2 into plain data with the position of every node: policies, policy tests and lists of issuers. Refuses
// features that such files do not need: merge keys, tags, directives, several documents, keys that are not strings,
// numbers that change when parsed, and too large or too deeply nested files.
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
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { ConfigurationError, type Problem } from './problem.ts';

export type Path = readonly (string | number)[];

export interface YamlDocument {
  readonly value: unknown;
  /** `file:line:column` of the value at a path, or of the nearest node above it that exists. */
  readonly positionOf: (path: Path) => string;
  /** `file:line:column` of the key that ends a path. */
  readonly positionOfKey: (path: Path) => string;
  /** `file:line:column` of an offset into the text of the scalar at a path. */
  readonly positionInText: (path: Path, offset: number) => string;
}

export interface YamlOptions {
  readonly text: string;
  /** The file's name, for positions. */
  readonly file: string;
  readonly maxKibibytes: number;
  /** For policy tests, which grant nothing: allows anchors and aliases, any key, numbers in any spelling. */
  readonly lenient?: boolean;
  /** For files that hold secrets: no problem quotes a value. */
  readonly hidesValues?: boolean;
}

const maxDepth = 24;
/** Bound on a lenient file after its aliases are expanded. */
const maxNodes = 100_000;
/** Refused as keys: they have a special meaning on plain objects or in YAML. */
const forbiddenNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype', '<<']);

/** The offset of the first node that is nested too deeply. Not recursive, so no input can exhaust the stack. */
function tooDeepAt(text: string): number | undefined {
  const pending: { token: CST.Token | null | undefined; depth: number }[] = [];
  for (const token of new Parser().parse(text)) pending.push({ token, depth: 0 });
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { token, depth } = entry;
    if (token === null || token === undefined) continue;
    if (depth > maxDepth) return token.offset;
    if ('items' in token)
      for (const item of token.items)
        pending.push({ token: item.key, depth: depth + 1 }, { token: item.value, depth: depth + 1 });
    else if (token.type === 'document') pending.push({ token: token.value, depth });
  }
  return undefined;
}

const quoteTheValue = `Put single quotes around the whole value, as in '\${claims.a ? "b" : "c"}'`;

const fixes: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  DUPLICATE_KEY: 'Remove one of the two',
  BLOCK_AS_IMPLICIT_KEY: quoteTheValue,
  MULTILINE_IMPLICIT_KEY: quoteTheValue,
  BAD_SCALAR_START: quoteTheValue,
  TAB_AS_INDENT: 'Indent with spaces',
};

/** The parser's message without its quotes from the file, which may hold a secret. */
const messageOf = ({ code, message }: YAMLError): string =>
  code === 'UNEXPECTED_TOKEN' || code === 'BAD_DQ_ESCAPE' || code === 'TAG_RESOLVE_FAILED'
    ? message.replace(/ ?[:\\"].*$/s, '')
    : message;

/** The errors up to the first syntax error: later ones are mostly consequences of it. */
function realErrors(errors: readonly YAMLError[]): readonly YAMLError[] {
  const first = errors.findIndex(({ code }) => code !== 'DUPLICATE_KEY');
  return first < 0 ? errors : errors.slice(0, first + 1);
}

const keyText = (pair: Pair): string | undefined =>
  isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined;

/** Throws ConfigurationError with every problem of the YAML itself. */
export function parseStrictYaml(options: YamlOptions): YamlDocument {
  const { text, file, maxKibibytes, lenient = false, hidesValues = false } = options;
  const fail = (problems: readonly Problem[]): never => {
    throw new ConfigurationError(problems);
  };
  if (text.length > maxKibibytes * 1024)
    fail([
      { location: file, problem: `is larger than ${maxKibibytes} KiB`, fix: 'Make it smaller, or name another file' },
    ]);

  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const deepAt = tooDeepAt(text);
  if (deepAt !== undefined) {
    lines.addNewLine(0);
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
    fail([{ location: at(deepAt), problem: `is nested more than ${maxDepth} levels deep`, fix: 'Reduce the nesting' }]);
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
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  const problems: Problem[] = realErrors(errors).map((error) => ({
    location: at(error.pos[0]),
    problem: `not valid YAML: ${messageOf(error)}`,
    fix: fixes[error.code] ?? 'Correct the YAML; put quotes around ${ … } inside { } and [ ]',
  }));
  if (/^\ufeff?%/m.test(text.slice(0, document.contents?.range?.[0] ?? 0)))
    problems.push({ location: at(0), problem: 'YAML directives (%…) are not allowed', fix: 'Remove them' });

  const report = (node: Node, problem: string, fix: string): undefined => {
    problems.push({ location: at(node.range?.[0] ?? 0), problem, fix });
    return undefined;
  };

  const scalarValue = (node: Scalar): unknown => {
    const { value, source = '' } = node;
    if (typeof value === 'string' && !lenient && !value.isWellFormed())
      return report(node, 'a string has half a character (a lone surrogate)', 'Write the whole character');
    if (typeof value !== 'number' || lenient || String(value) === source) return value;
    if (hidesValues)
      return report(node, 'a number would be read as a different number', 'Put quotes around it if it is a string');
    if (!Number.isFinite(value)) return report(node, `${source} is not a finite number`, 'Write a number');
    const instead = Number.isInteger(value) && !Number.isSafeInteger(value) ? 'Write another number' : `Write ${value}`;
    const fix = `${instead}, or put quotes around ${source} if it is a string`;
    return report(node, `${source} would be read as the number ${value}`, fix);
  };

  const refuseKey = (node: YAMLMap, pair: Pair): undefined => {
    const start = node.range?.[0] ?? 0;
    const [, braced] = /^\{\s*\{([^{}]*)\}/.exec(text.slice(start, node.range?.[1])) ?? [];
    return braced === undefined
      ? report(pair.key as Node, 'a key must be a string', 'Put quotes around it')
      : report(node, '{{ … }} has no meaning in a policy', `Write \${${braced.trim()}}`);
  };

  let nodes = 0;
  const toValue = (node: unknown, depth = 0): unknown => {
    nodes += 1;
    if (isAlias(node)) {
      if (!lenient) return report(node, 'YAML aliases (*name) are not allowed', 'Write the value out');
      const target = node.resolve(document);
      if (target === undefined) return report(node, 'an alias has no anchor before it', 'Write the value out');
      if (nodes <= maxNodes && depth <= 2 * maxDepth) return toValue(target, depth + 1);
      report(node, 'aliases make the file too large', 'Write the value out');
      return fail(problems);
    }
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return null;
    if (node.tag !== undefined) return report(node, 'YAML tags (!…) are not allowed', 'Remove the tag');
    if (node.anchor !== undefined && !lenient)
      return report(node, 'YAML anchors (&name) are not allowed', 'Remove the anchor');
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) return node.items.map((item) => toValue(item, depth + 1));
    const entries: [string, unknown][] = [];
    for (const pair of node.items) {
      const key = keyText(pair);
      const keyNode = pair.key as Node;
      if (key === undefined) refuseKey(node, pair);
      else if (!lenient && forbiddenNames.has(key)) report(keyNode, `"${key}" cannot be a key`, 'Choose another name');
      else if (isScalar(keyNode) && (keyNode.tag !== undefined || keyNode.anchor !== undefined))
        report(keyNode, 'YAML tags and anchors are not allowed at keys', 'Remove them');
      else if (!key.isWellFormed() && !lenient)
        report(keyNode, 'a key has half a character (a lone surrogate)', 'Write the whole character');
      else entries.push([key, toValue(pair.value, depth + 1)]);
    }
    return Object.fromEntries(entries);
  };
  const value = problems.length === 0 ? toValue(document.contents) : undefined;
  if (problems.length > 0) fail(problems);

  const resolved = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const pairAt = (path: Path): { node: unknown; pair: Pair | undefined; last: Node | undefined } => {
    let node: unknown = document.contents;
    let pair: Pair | undefined;
    let last: Node | undefined = document.contents ?? undefined;
    for (const segment of path) {
      pair = undefined;
      if (isMap(node)) {
        pair = node.items.find((item) => keyText(item) === segment);
        node = resolved(pair?.value);
      } else if (isSeq(node) && typeof segment === 'number') node = resolved(node.items[segment]);
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
      // Escapes, folding and block indentation shift the text: then report the start of the scalar.
      const verbatim = text.startsWith((node as Scalar<string>).value, start);
      return at(verbatim ? start + offset : node.range[0]);
    },
  };
}
