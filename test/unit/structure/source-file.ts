// Parses the project's source: its files, their imports, and the names that they use.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseSync, Visitor, type ESTree } from 'rolldown/utils';

export interface Import {
  /** As written: `./errors.ts`, `fastify`, `node:fs`. */
  readonly specifier: string;
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the repository's root, such as `src/http/listener.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Names used as variables, not as members of something. */
  readonly freeNames: ReadonlySet<string>;
  /** Names of the types that something is cast to, `const` aside. */
  readonly casts: readonly string[];
  /** Names of types with a member that is a `unique symbol` of the same file: values of theirs can only be cast. */
  readonly brands: readonly string[];
  /** Names of top-level variables that can change: `let`, `var`, and collections whose type is not readonly. */
  readonly mutableState: readonly string[];
}

const root = new URL('../../../', import.meta.url);

/** Every TypeScript file below src/. */
export const readSources = (): readonly SourceFile[] =>
  readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => parseSource(path, readFileSync(new URL(path, root), 'utf8')));

export function parseSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors.map(({ message }) => message).join(', ')}`);
  const imports: Import[] = [];
  const freeNames = new Set<string>();
  const casts: string[] = [];
  const memberNames = new Set<unknown>();

  // A node is visited before its children.
  const name = ({ key, computed }: { readonly key: unknown; readonly computed: boolean }): void =>
    void (computed || memberNames.add(key));
  const cast = ({ typeAnnotation: type }: { readonly typeAnnotation: ESTree.TSType }): void => {
    if (type.type !== 'TSTypeReference') return;
    const named = text.slice(type.typeName.start, type.typeName.end);
    if (named !== 'const') casts.push(named);
  };
  new Visitor({
    ImportDeclaration: (node) => void imports.push(importOf(node.source, isTypeImport(node))),
    ExportNamedDeclaration: (node) => node.source && imports.push(importOf(node.source, isTypeExport(node))),
    ExportAllDeclaration: (node) => void imports.push(importOf(node.source, node.exportKind === 'type')),
    TSImportType: (node) => void imports.push(importOf(node.source, true)),
    ImportExpression: (node) => void imports.push(importOf(node.source, false)),
    MemberExpression: (node) => void (node.computed || memberNames.add(node.property)),
    TSQualifiedName: (node) => void memberNames.add(node.right),
    ObjectExpression: ({ properties }) => {
      for (const property of properties) if (property.type === 'Property') name(property);
    },
    PropertyDefinition: name,
    MethodDefinition: name,
    TSPropertySignature: name,
    TSMethodSignature: name,
    Identifier: (node) => void (memberNames.has(node) || freeNames.add(node.name)),
    TSAsExpression: cast,
    TSTypeAssertion: cast,
  }).visit(program);
  const { body } = program;
  return {
    path,
    text,
    imports,
    freeNames,
    casts,
    brands: brandsOf(body, text),
    mutableState: mutableStateOf(body, text),
  };
}

/** The file that a relative import of `from` names, or undefined for packages. */
export const importedPath = (from: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;

const importOf = (source: ESTree.Expression, typeOnly: boolean): Import => ({
  specifier: source.type === 'Literal' && typeof source.value === 'string' ? source.value : '(computed)',
  typeOnly,
});

const isTypeImport = ({ importKind, specifiers }: ESTree.ImportDeclaration): boolean =>
  importKind === 'type' ||
  (specifiers.length > 0 && specifiers.every((one) => one.type === 'ImportSpecifier' && one.importKind === 'type'));

const isTypeExport = ({ exportKind, specifiers }: ESTree.ExportNamedDeclaration): boolean =>
  exportKind === 'type' || specifiers.every((one) => one.exportKind === 'type');

/** A statement of the file's top level, without `export`. */
const declarationOf = (statement: ESTree.Statement): ESTree.Statement | null =>
  statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;

function brandsOf(body: readonly ESTree.Statement[], text: string): readonly string[] {
  const symbols = [...text.matchAll(/^declare const (\w+): unique symbol;/gm)].map(([, name = '']) => `[${name}]`);
  return body
    .map(declarationOf)
    .filter((one) => one?.type === 'TSInterfaceDeclaration' || one?.type === 'TSTypeAliasDeclaration')
    .filter(({ start, end }) => symbols.some((symbol) => text.slice(start, end).includes(symbol)))
    .map(({ id }) => id.name);
}

const collections: ReadonlySet<string> = new Set(['Array', 'Map', 'Set', 'WeakMap', 'WeakSet']);

/** A list or collection that any code of the file could change, as the compiler sees it. */
function isMutable({ id, init }: ESTree.VariableDeclarator, text: string): boolean {
  const isCollection =
    init?.type === 'ArrayExpression' ||
    (init?.type === 'NewExpression' && collections.has(text.slice(init.callee.start, init.callee.end)));
  const type = id.typeAnnotation ? text.slice(id.typeAnnotation.start, id.typeAnnotation.end) : '';
  return isCollection && !/^:\s*(?:readonly |Readonly)/.test(type);
}

const mutableStateOf = (body: readonly ESTree.Statement[], text: string): readonly string[] =>
  body
    .map(declarationOf)
    .filter((one) => one?.type === 'VariableDeclaration')
    .flatMap(({ kind, declarations }) => declarations.filter((one) => kind !== 'const' || isMutable(one, text)))
    .map(({ id }) => (id.type === 'Identifier' ? id.name : text.slice(id.start, id.end)));
