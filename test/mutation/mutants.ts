// Makes small wrong versions of a source file, one change each: guards turned round, bounds moved by one, refusals and
// calls left out. Types, imports, messages for people, and the price of an operation in fuel (that it has one is not
// left alone) stay as they are: changing them breaks no promise.
import ts from 'typescript';

export interface Mutant {
  /** From 1. */
  readonly line: number;
  /** The text of that line. */
  readonly code: string;
  /** Numbered from the second on where the same code of a file can be changed so in several places. */
  readonly change: string;
  readonly text: string;
}

const operators: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
  [ts.SyntaxKind.AmpersandAmpersandToken, '||'],
  [ts.SyntaxKind.BarBarToken, '&&'],
  [ts.SyntaxKind.PlusToken, '-'],
  [ts.SyntaxKind.MinusToken, '+'],
  [ts.SyntaxKind.AsteriskToken, '/'],
  [ts.SyntaxKind.SlashToken, '*'],
]);

const methods: ReadonlyMap<string, string> = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['startsWith', 'endsWith'],
  ['min', 'max'],
  ['max', 'min'],
]);

/** A sentence, the name of an error's class, or an argument of what makes messages. */
const isTextForPeople = (node: ts.StringLiteral): boolean => {
  if (/\S \S/.test(node.text)) return true;
  if (ts.isPropertyDeclaration(node.parent) && node.parent.name.getText() === 'name') return true;
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isNewExpression(at) || ts.isImportDeclaration(at) || ts.isTypeNode(at)) return true;
    if (ts.isCallExpression(at) && /report|fail|problem|wrong|textOf/i.test(at.expression.getText())) return true;
    if (ts.isStatement(at)) return false;
  }
  return false;
};

const isPrice = (node: ts.Node): boolean => ts.isCallExpression(node) && node.expression.getText() === 'spend';

/** Compared with, or the value of a member: turning the comparison round, or the types, shows these already. */
const isCompared = ({ parent }: ts.Node): boolean => ts.isBinaryExpression(parent) || ts.isPropertyAssignment(parent);

/** Where and by what a node may be replaced. */
function* changesOf(node: ts.Node): Generator<{ at: ts.Node; by: string; what: string }> {
  if (ts.isBinaryExpression(node)) {
    const by = operators.get(node.operatorToken.kind);
    const isText = [node.left, node.right].some(
      (side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side),
    );
    if (by !== undefined && !(isText && node.operatorToken.kind === ts.SyntaxKind.PlusToken)) {
      yield { at: node.operatorToken, by, what: `${node.operatorToken.getText()} becomes ${by}` };
    }
  }
  if (ts.isIfStatement(node)) {
    yield { at: node.expression, by: 'false', what: 'the condition is never met' };
    yield { at: node.expression, by: 'true', what: 'the condition is always met' };
  }
  if (ts.isConditionalExpression(node)) {
    yield { at: node.condition, by: `!(${node.condition.getText()})`, what: 'the choice is turned round' };
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    yield { at: node, by: node.operand.getText(), what: 'the negation is left out' };
  }
  if (ts.isThrowStatement(node)) yield { at: node, by: ';', what: 'nothing is thrown' };
  if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
    yield { at: node, by: ';', what: 'the call is left out' };
  }
  if (node.kind === ts.SyntaxKind.TrueKeyword && !ts.isLiteralTypeNode(node.parent)) {
    yield { at: node, by: 'false', what: 'true becomes false' };
  }
  if (node.kind === ts.SyntaxKind.FalseKeyword && !ts.isLiteralTypeNode(node.parent)) {
    yield { at: node, by: 'true', what: 'false becomes true' };
  }
  if (ts.isNumericLiteral(node) && !ts.isLiteralTypeNode(node.parent)) {
    yield { at: node, by: String(Number(node.text.replaceAll('_', '')) + 1), what: `${node.text} becomes one more` };
  }
  if (ts.isStringLiteral(node) && node.text !== '' && !isTextForPeople(node) && !isCompared(node)) {
    if (!ts.isImportDeclaration(node.parent))
      yield { at: node, by: node.text === '?' ? "'!'" : "'?'", what: `${node.getText()} becomes another text` };
  }
  if (ts.isRegularExpressionLiteral(node)) {
    const text = node.getText();
    if (text.startsWith('/^')) yield { at: node, by: `/${text.slice(2)}`, what: 'the pattern has no start' };
    if (/\$\/[a-z]*$/.test(text))
      yield { at: node, by: text.replace(/\$(\/[a-z]*)$/, '$1'), what: 'the pattern has no end' };
  }
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { name } = node.expression;
    const by = methods.get(name.text);
    if (by !== undefined) yield { at: name, by, what: `${name.text} becomes ${by}` };
  }
}

export function mutantsOf(path: string, source: string): readonly Mutant[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2024, true);
  const lines = source.split('\n');
  const mutants: Mutant[] = [];
  const made = new Map<string, number>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    for (const { at, by, what } of changesOf(node)) {
      const start = at.getStart(file);
      const { line } = file.getLineAndCharacterOfPosition(start);
      const code = (lines[line] ?? '').trim();
      const count = (made.get(code + what) ?? 0) + 1;
      made.set(code + what, count);
      mutants.push({
        line: line + 1,
        code,
        change: count === 1 ? what : `${what} (${count})`,
        text: source.slice(0, start) + by + source.slice(at.getEnd()),
      });
    }
    if (!isPrice(node)) ts.forEachChild(node, visit);
  };
  visit(file);
  return mutants;
}
