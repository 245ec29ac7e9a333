// Reads one expression: parsed and type-checked by cel-js, then held to our subset of CEL by walking its tree. Refuses
// every name but `claims`, `variables` and macro-bound ones, every function that is not in the closed list, and
// literals that a policy has no use for. Evaluation is compile-expression.ts's work.
import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { closest } from '../closest.ts';
import { celFunctions, celMacros, optionalMethods } from './cel-functions.ts';

/** What is wrong with an expression, at an offset into its text. */
export class ExpressionProblem extends Error {
  override readonly name = 'ExpressionProblem';
  readonly what: string;
  readonly mend: string;
  readonly offset: number;

  constructor(what: string, mend: string, offset: number) {
    super(what);
    this.what = what;
    this.mend = mend;
    this.offset = offset;
  }
}

export interface Expression {
  readonly ast: ASTNode;
  /** Inferred type in CEL's spelling. */
  readonly type: string;
  readonly claims: readonly string[];
  readonly variables: readonly string[];
  /** Its ternaries in the order of the text. */
  readonly ternaries: readonly ASTNode[];
}

const limits = { maxAstNodes: 400, maxDepth: 24, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 4 };
const longestExpression = 4096;

/** The text that a node covers, for messages; cut so that a line stays readable. */
export function excerpt(node: ASTNode): string {
  const text = node.input.slice(node.start, node.end).replace(/\s+/g, ' ');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Dotted path of the claim that a chain of literal accesses names (`realm_access.roles`), else undefined. */
export function claimPath(node: ASTNode): string | undefined {
  const names: string[] = [];
  let at = node;
  for (;;) {
    if (at.op === '.' || at.op === '.?') {
      names.unshift(at.args[1]);
      at = at.args[0];
    } else if ((at.op === '[]' || at.op === '[?]') && at.args[1].op === 'value') {
      if (typeof at.args[1].args === 'string') names.unshift(at.args[1].args);
      at = at.args[0];
    } else if ((at.op === '[]' || at.op === '[?]') && names.length === 0) {
      at = at.args[0];
    } else if (at.op === 'id' && at.args === 'claims') {
      return names.length > 0 ? names.join('.') : undefined;
    } else return undefined;
  }
}

/** The variable that a node names (`variables.x` or `variables["x"]`), else undefined. */
export function variableName(node: ASTNode): string | undefined {
  if (node.op === '.' && node.args[0].op === 'id' && node.args[0].args === 'variables') return node.args[1];
  if (node.op === '[]' && node.args[0].op === 'id' && node.args[0].args === 'variables') {
    const key = node.args[1];
    if (key.op === 'value' && typeof key.args === 'string') return key.args;
  }
  return undefined;
}

/** The macro that a node calls on a receiver, with the name it binds. */
export function macroCall(
  node: ASTNode,
): { name: string; receiver: ASTNode; bound: string; bodies: ASTNode[] } | undefined {
  if (node.op !== 'rcall') return undefined;
  const [name, receiver, [first, ...bodies]] = node.args;
  if (!celMacros.has(name) || first === undefined || first.op !== 'id') return undefined;
  return { name, receiver, bound: first.args, bodies };
}

const quoted = (names: Iterable<string>): string => [...names].join(', ');

const didYouMean = (name: string, known: Iterable<string>, otherwise: string): string => {
  const nearest = closest(name, known);
  return nearest === undefined ? otherwise : `Did you mean ${nearest}`;
};

function walker(variables: ReadonlyMap<string, string>) {
  const claims = new Set<string>();
  const used = new Set<string>();
  const ternaries: ASTNode[] = [];

  const refuse = (node: ASTNode, what: string, mend: string): never => {
    throw new ExpressionProblem(what, mend, node.start);
  };

  const checkArity = (node: ASTNode, name: string, allowed: readonly number[] | undefined, count: number): void => {
    if (allowed === undefined || !allowed.includes(count))
      refuse(
        node,
        `"${excerpt(node)}" does not call ${name}() as it is defined`,
        'See the list of functions in the policy guide',
      );
  };

  const refuseFunction = (node: ASTNode, name: string): void => {
    if (name === 'matches')
      refuse(
        node,
        'matches() is not available: its regular expressions can take minutes on a short claim',
        'Use startsWith(), endsWith(), contains() or in, or an anchored filterValuePattern or clientIdPattern',
      );
    const known = ['has', ...celFunctions.keys(), ...celMacros.keys(), ...optionalMethods.keys()];
    refuse(
      node,
      `${name}() is not a function of the policy language`,
      didYouMean(name, known, `Use one of ${quoted(known)}`),
    );
  };

  const visitName = (node: ASTNode, name: string, bound: readonly string[]): void => {
    if (bound.includes(name)) return;
    if (name === 'claims') claims.add('*');
    else if (name === 'variables')
      refuse(node, '"variables" cannot be used as a whole', 'Name one of them, such as variables.isAdmin');
    else
      refuse(
        node,
        `"${name}" is neither claims nor variables`,
        didYouMean(name, ['claims', 'variables', ...bound], `Write claims.${name} or, for text, "${name}" in quotes`),
      );
  };

  const visitVariable = (node: ASTNode, name: string): void => {
    if (!variables.has(name))
      refuse(
        node,
        `variables.${name} is not defined above`,
        didYouMean(name, variables.keys(), 'Define it under variables, before the variables that use it'),
      );
    used.add(name);
  };

  const visitHas = (node: ASTNode, args: readonly ASTNode[]): void => {
    const [argument] = args;
    let at = argument;
    while (at !== undefined && (at.op === '.' || at.op === '.?') && variableName(at) === undefined) at = at.args[0];
    if (args.length !== 1 || argument === at || at === undefined || (at.op !== 'id' && variableName(at) === undefined))
      refuse(node, 'has() takes one member, such as has(claims.email)', 'For other names write "name" in claims');
  };

  const visit = (node: ASTNode, bound: readonly string[]): void => {
    const path = claimPath(node);
    if (path !== undefined) claims.add(path);
    const variable = variableName(node);
    if (variable !== undefined) return visitVariable(node, variable);

    switch (node.op) {
      case 'value':
        if (!['string', 'number', 'bigint', 'boolean'].includes(typeof node.args) && node.args !== null)
          refuse(
            node,
            `"${excerpt(node)}" is a literal of bytes or of an unsigned integer`,
            'Write a string or a number',
          );
        return;
      case 'id':
        return visitName(node, node.args, bound);
      case '.':
      case '.?':
        if (path === undefined || !isClaims(node)) visit(node.args[0], bound);
        return;
      case '[]':
      case '[?]':
        if (path === undefined || !isClaims(node)) visit(node.args[0], bound);
        return visit(node.args[1], bound);
      case 'list':
        return node.args.forEach((item) => visit(item, bound));
      case 'map':
        return node.args.forEach(([key, value]) => {
          visit(key, bound);
          visit(value, bound);
        });
      case '?:':
        ternaries.push(node);
        return node.args.forEach((part) => visit(part, bound));
      case '!_':
      case '-_':
        return visit(node.args, bound);
      case 'call': {
        const [name, args] = node.args;
        if (name === 'has') visitHas(node, args);
        else {
          const known = celFunctions.get(name);
          if (known?.asFunction === undefined) refuseFunction(node, name);
          checkArity(node, name, known?.asFunction, args.length);
        }
        return args.forEach((argument) => visit(argument, bound));
      }
      case 'rcall': {
        const [name, receiver, args] = node.args;
        visit(receiver, bound);
        if (celMacros.has(name)) {
          checkArity(node, name, celMacros.get(name), args.length);
          const call = macroCall(node);
          if (call === undefined)
            return refuse(node, `${name}() first takes a name for the element`, `Write for example ${name}(item, …)`);
          if (call.bound === 'claims' || call.bound === 'variables')
            refuse(node, `${name}() cannot bind the name ${call.bound}`, 'Choose another name');
          return call.bodies.forEach((body) => visit(body, [...bound, call.bound]));
        }
        const method = celFunctions.get(name)?.asMethod ?? optionalMethods.get(name);
        if (method === undefined) refuseFunction(node, name);
        checkArity(node, name, method, args.length);
        return args.forEach((argument) => visit(argument, bound));
      }
      case '||':
      case '&&':
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case 'in':
        return node.args.forEach((operand) => visit(operand, bound));
    }
  };

  return { visit, claims, used, ternaries };
}

/** Whether a chain of accesses goes down to `claims` by literal keys only, so that there is nothing else to visit. */
const isClaims = (node: ASTNode): boolean => claimPath(node) !== undefined && literalChain(node);

function literalChain(node: ASTNode): boolean {
  if (node.op === 'id') return true;
  if (node.op === '.' || node.op === '.?') return literalChain(node.args[0]);
  if (node.op === '[]' || node.op === '[?]') return node.args[1].op === 'value' && literalChain(node.args[0]);
  return false;
}

interface LibraryError {
  readonly summary?: unknown;
  readonly range?: { readonly start: number };
}

const fromLibrary = (error: unknown): ExpressionProblem => {
  const { summary, range } = error as LibraryError;
  const what = typeof summary === 'string' ? summary : 'cannot be read';
  return new ExpressionProblem(`the expression is not valid: ${what}`, 'Mend the expression', range?.start ?? 0);
};

/** Creates a reader for expressions over `claims` and these variables (name → CEL type). */
export function createExpressionReader(variables: ReadonlyMap<string, string>): (text: string) => Expression {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits,
  });
  environment.registerVariable('claims', 'map<string, dyn>');
  environment.registerType('Variables', {
    ctor: class Variables {},
    fields: Object.fromEntries(variables),
  });
  environment.registerVariable('variables', 'Variables');

  /** Throws ExpressionProblem. */
  return (text) => {
    if (text.length > longestExpression)
      throw new ExpressionProblem('the expression is longer than 4096 characters', 'Split it into variables', 0);
    let parsed: ParseResult;
    try {
      parsed = environment.parse(text);
    } catch (error) {
      throw fromLibrary(error);
    }
    const { visit, claims, used, ternaries } = walker(variables);
    visit(parsed.ast, []);
    const checked = parsed.check();
    if (!checked.valid) throw fromLibrary(checked.error);
    return {
      ast: parsed.ast,
      type: checked.type ?? 'dyn',
      claims: [...claims],
      variables: [...used],
      ternaries,
    };
  };
}
