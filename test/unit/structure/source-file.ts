// Reads the project's own source as syntax: which files there are, what each imports, which names it uses freely.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** As written: `./errors.ts`, `fastify`, `node:fs`. */
  readonly specifier: string;
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the repository's root, such as `src/http/server.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Names used as variables, not as members of something. */
  readonly freeNames: ReadonlySet<string>;
  /** Names of the types that something is cast to, `const` aside. */
  readonly casts: readonly string[];
  /** Names of types with a member that is a `unique symbol` of the same file: values of theirs can only be cast. */
  readonly brands: readonly string[];
  /** Names of top-level `let` and `var` variables. */
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
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const imports: Import[] = [];
  const freeNames = new Set<string>();
  const casts: string[] = [];

  const visit = (node: ts.Node): void => {
    const found = importOf(node);
    if (found !== undefined) imports.push(found);
    if (ts.isIdentifier(node) && isFree(node)) freeNames.add(node.text);
    const cast = castOf(node);
    if (cast !== undefined) casts.push(cast);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, text, imports, freeNames, casts, brands: brandsOf(file), mutableState: mutableStateOf(file) };
}

/** The file that a relative import of `from` names, or undefined for packages. */
export const importedPath = (from: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;

function importOf(node: ts.Node): Import | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
    const specifier = textOf(node.moduleSpecifier);
    const clause = ts.isImportDeclaration(node) ? node.importClause : node;
    return specifier === undefined ? undefined : { specifier, typeOnly: clause !== undefined && isTypeOnly(clause) };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    const specifier = textOf(node.argument.literal);
    return specifier === undefined ? undefined : { specifier, typeOnly: true };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    return { specifier: (argument && textOf(argument)) ?? '(computed)', typeOnly: false };
  }
  return undefined;
}

function isTypeOnly(clause: ts.ImportClause | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(clause)) {
    const named = clause.exportClause;
    return clause.isTypeOnly || (named !== undefined && ts.isNamedExports(named) && allTypes(named.elements));
  }
  const bindings = clause.namedBindings;
  const namesTypesOnly =
    clause.name === undefined &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.length > 0 &&
    allTypes(bindings.elements);
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword || namesTypesOnly;
}

const allTypes = (elements: readonly { readonly isTypeOnly: boolean }[]): boolean =>
  elements.every(({ isTypeOnly: only }) => only);

const textOf = (node: ts.Node): string | undefined => (ts.isStringLiteralLike(node) ? node.text : undefined);

function isFree(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  const isMemberName =
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === node;
  return !isMemberName;
}

/** `value as Name`, also as part of a wider type. */
function castOf(node: ts.Node): string | undefined {
  if (!ts.isAsExpression(node) && !ts.isTypeAssertionExpression(node)) return undefined;
  const { type } = node;
  return ts.isTypeReferenceNode(type) && type.typeName.getText() !== 'const' ? type.typeName.getText() : undefined;
}

function brandsOf(file: ts.SourceFile): readonly string[] {
  const symbols = [...file.text.matchAll(/^declare const (\w+): unique symbol;/gm)].map(([, name = '']) => `[${name}]`);
  return file.statements
    .filter((statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
    .filter((statement) => symbols.some((symbol) => statement.getText().includes(symbol)))
    .map(({ name }) => name.text);
}

const mutableStateOf = (file: ts.SourceFile): readonly string[] =>
  file.statements
    .filter(ts.isVariableStatement)
    .filter(({ declarationList }) => (declarationList.flags & ts.NodeFlags.Const) === 0)
    .flatMap(({ declarationList }) => declarationList.declarations.map(({ name }) => name.getText(file)));
