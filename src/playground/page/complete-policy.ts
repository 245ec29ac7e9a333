// Completion from the policy's JSON Schema: the keys that are allowed at the cursor, which the indentation of the lines
// above determines, and the values of keys with a closed list.
import type { Completion, CompletionContext, CompletionResult, CompletionSource } from '@codemirror/autocomplete';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly description?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

interface Line {
  readonly indent: number;
  readonly key: string | undefined;
  readonly isItem: boolean;
}

const readLine = (text: string): Line => {
  const [, spaces = '', dash = '', key] = /^(\s*)((?:- +)*)(?:["']?([^"':#\s][^"':#]*?)["']?\s*:)?/.exec(text) ?? [];
  return { indent: spaces.length + dash.length, key, isItem: dash !== '' };
};

/** The keys around the cursor, outermost first; `-` stands for an entry of a list. */
function pathAt(linesAbove: readonly string[], indent: number): readonly string[] {
  const path: string[] = [];
  let below = indent;
  for (const text of linesAbove.toReversed()) {
    if (text.trim() === '' || text.trimStart().startsWith('#')) continue;
    const line = readLine(text);
    const outer = /^\s*/.exec(text)?.[0].length ?? 0;
    if (line.key !== undefined && line.indent < below) {
      path.unshift(line.key);
      below = line.indent;
    }
    if (line.isItem && outer < below) {
      path.unshift('-');
      below = outer + 1;
    }
    if (below === 0) break;
  }
  return path;
}

export function createPolicyCompletion(root: Schema): CompletionSource {
  const resolve = (schema: Schema): readonly Schema[] => {
    const name = schema.$ref?.replace('#/definitions/', '');
    const target = name === undefined ? schema : (root.definitions?.[name] ?? {});
    return [target, ...[...(target.anyOf ?? []), ...(target.oneOf ?? [])].flatMap(resolve)];
  };
  const step = (schema: Schema, key: string): readonly Schema[] =>
    resolve(schema).flatMap((one) => {
      if (key === '-') return one.items === undefined ? [] : resolve(one.items);
      const own = one.properties?.[key];
      if (own !== undefined) return resolve(own);
      return typeof one.additionalProperties === 'object' ? resolve(one.additionalProperties) : [];
    });
  const schemasAt = (path: readonly string[]): readonly Schema[] =>
    path.reduce<readonly Schema[]>((schemas, key) => schemas.flatMap((schema) => step(schema, key)), resolve(root));

  const keys = (schemas: readonly Schema[]): readonly Completion[] =>
    schemas.flatMap(({ properties = {} }) =>
      Object.entries(properties).map(([name, schema]) => {
        const nests = resolve(schema).some(({ type }) => type === 'object' || type === 'array');
        const info = resolve(schema).find(({ description }) => description !== undefined)?.description;
        return { label: name, type: 'property', apply: nests ? `${name}:` : `${name}: `, ...(info && { info }) };
      }),
    );
  const values = (schemas: readonly Schema[]): readonly Completion[] =>
    schemas.flatMap(({ type, enum: listed, const: fixed }) => {
      const literals = type === 'boolean' ? [true, false] : (listed ?? (fixed === undefined ? [] : [fixed]));
      return literals.map((value) => ({ label: String(value), type: 'constant' }));
    });

  return (context: CompletionContext): CompletionResult | null => {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    const linesAbove = context.state.sliceDoc(0, line.from).split('\n').slice(0, -1);
    const value = /^\s*(?:- +)*["']?([^"':#]+?)["']?\s*:\s+(\w*)$/.exec(before);
    if (value !== null) {
      const [, key = '', typed = ''] = value;
      const { indent } = readLine(before);
      const options = values(schemasAt([...pathAt(itemAware(linesAbove, before), indent), key]));
      return options.length === 0 ? null : { from: context.pos - typed.length, options };
    }
    const typed = /^\s*(?:- +)*([\w-]*)$/.exec(before)?.[1];
    if (typed === undefined || (typed === '' && !context.explicit)) return null;
    const indent = before.length - typed.length;
    const options = keys(schemasAt(pathAt(itemAware(linesAbove, before), indent)));
    return options.length === 0 ? null : { from: context.pos - typed.length, options };
  };
}

/** A line that begins a list entry is inside that entry. */
const itemAware = (linesAbove: readonly string[], before: string): readonly string[] => {
  const dash = /^(\s*- +)/.exec(before)?.[1];
  return dash === undefined ? linesAbove : [...linesAbove, dash];
};
