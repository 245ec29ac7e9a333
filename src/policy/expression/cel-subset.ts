// Checks that an expression is within the supported subset of CEL: only the names `claims`, `variables` and those bound
// by macros, only functions of the closed list, and no literals of bytes or unsigned integers.
import { isBinaryOperation } from './cel-operators.ts';
import type { ASTNode } from '@marcbachmann/cel-js';
import { didYouMean } from '../../did-you-mean.ts';
import { LoadProblem } from '../../problem.ts';
import { celFunctions, optionalMethods } from './cel-functions.ts';
import { celMacros, claimPath, excerpt, isClaims, macroCall, variableName } from './cel-tree.ts';

const quoted = (names: Iterable<string>): string => [...names].join(', ');

const largestInt = 2n ** 63n - 1n;

/** Whether there are only blanks between a minus and the literal. */
const isSign = (minus: ASTNode, literal: ASTNode): boolean =>
  /^-\s*$/.test(minus.input.slice(minus.start, literal.start));

const textOperators: readonly string[] = ['+', '?:', '.', '.?', '[]', '[?]', 'id', 'rcall'];

/** Whether the result is never a string, whatever the claims. */
function isNeverText(node: ASTNode, variables: ReadonlyMap<string, string>): boolean {
  const variable = variableName(node);
  if (variable !== undefined) return !['string', 'dyn', undefined].includes(variables.get(variable));
  if (node.op === 'value') return typeof node.args !== 'string';
  if (node.op === 'call') return !['string', 'dyn'].includes(node.args[0]);
  return !textOperators.includes(node.op);
}

/** Checks a tree with `visit`, which throws LoadProblem, and collects the names it uses. */
export function createSubsetWalker(variables: ReadonlyMap<string, string>) {
  const claims = new Set<string>();
  const used = new Set<string>();
  const ternaries: ASTNode[] = [];

  const refuse = (node: ASTNode, problem: string, fix: string): never => {
    throw new LoadProblem(problem, fix, node.start);
  };

  const checkArity = (node: ASTNode, name: string, allowed: readonly number[] | undefined, count: number): void => {
    if (allowed === undefined || !allowed.includes(count))
      refuse(
        node,
        `"${excerpt(node)}" does not match the definition of ${name}()`,
        'See the list of functions in the policy guide',
      );
  };

  const refuseFunction = (node: ASTNode, name: string): void => {
    if (name === 'matches')
      refuse(
        node,
        'matches() is not available: its regular expressions can take minutes for a short claim',
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
    else {
      // `claims.org-id` is a subtraction.
      const [dashed] = /claims\.\w+(?:-\w+)+$/.exec(node.input.slice(0, node.end)) ?? [];
      const bracketed = dashed === undefined ? undefined : `Write claims["${dashed.slice('claims.'.length)}"]`;
      refuse(
        node,
        `"${name}" is not claims or variables`,
        bracketed ??
          didYouMean(name, ['claims', 'variables', ...bound], `Write claims.${name} or, for text, "${name}" in quotes`),
      );
    }
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

    if (isBinaryOperation(node)) return node.args.forEach((operand) => visit(operand, bound));
    switch (node.op) {
      case 'value':
        if (typeof node.args === 'bigint' && node.args > largestInt)
          refuse(node, `${excerpt(node)} is not a 64-bit integer`, 'Write a smaller number, or a string');
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
          if (isNeverText(key, variables))
            refuse(key, 'the keys of a map must be strings', 'Put quotes around the key, or write string(…)');
          visit(key, bound);
          visit(value, bound);
        });
      case '?:':
        ternaries.push(node);
        return node.args.forEach((part) => visit(part, bound));
      case '-_':
        // The smallest integer is only valid together with its sign.
        if (node.args.op === 'value' && node.args.args === largestInt + 1n && isSign(node, node.args)) return;
        return visit(node.args, bound);
      case '!_':
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
            return refuse(
              node,
              `${name}() needs a name for the element as first argument`,
              `Write for example ${name}(item, …)`,
            );
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
        return node.args.forEach((operand) => visit(operand, bound));
    }
  };

  return { visit, claims, used, ternaries };
}
