// From the tree of a checked expression to closures over the decision's state: no tree is walked per request. CEL's
// evaluation rules, with three things the parser's own evaluator lacks: fuel, own members only, and observed ternaries.
import type { ASTNode } from '@marcbachmann/cel-js';
import { ExpressionFailure, spend, type Evaluation } from './evaluation.ts';
import { celFunctions, optionalMethods } from './cel-functions.ts';
import { binaryOperators } from './cel-operators.ts';
import { claimPath, excerpt, macroCall, variableName } from './cel-syntax.ts';
import { member, none, Optional, typeName } from './cel-values.ts';
import { compileMacro } from './compile-macro.ts';

export type Evaluate = (evaluation: Evaluation) => unknown;

interface BoundName {
  readonly name: string;
  readonly slot: number;
}

export interface CompileContext {
  /** How to get the value of a variable that is defined above. */
  readonly variable: (name: string) => Evaluate;
  /** Tells an observer what a ternary chose; `evaluation.trace` is present. */
  readonly onBranch: (ternary: ASTNode, evaluation: Evaluation, taken: boolean) => void;
  /** Macro-bound names, outermost first, with their slots in `evaluation.locals`. */
  readonly bound: readonly BoundName[];
  /** A slot that no other macro of the policy uses: a variable may be evaluated inside another expression's macro. */
  readonly newSlot: () => number;
}

/** The claim that an operand reads, if it can be told; for the audit line. */
export const blamed = (...nodes: readonly ASTNode[]): string | undefined => {
  for (const node of nodes) {
    const path = claimPath(node);
    if (path !== undefined) return path;
  }
  return undefined;
};

const asBool = (value: unknown, node: ASTNode): boolean => {
  if (typeof value === 'boolean') return value;
  throw new ExpressionFailure(`"${excerpt(node)}" is a ${typeName(value)}, not a bool`, blamed(node));
};

const missing = (node: ASTNode): ExpressionFailure =>
  new ExpressionFailure(`"${excerpt(node)}" is missing`, blamed(node));

/** `a.b` and `a[b]`; on an optional value the result is optional again. */
function compileAccess(container: Evaluate, key: Evaluate, node: ASTNode): Evaluate {
  return (evaluation) => {
    const holder = container(evaluation);
    if (holder instanceof Optional) return select(holder, key(evaluation));
    const value = member(holder, key(evaluation));
    if (value === undefined) throw missing(node);
    return value;
  };
}

const select = (holder: unknown, key: unknown): Optional => {
  if (holder instanceof Optional && !holder.present) return none;
  const value = member(holder instanceof Optional ? holder.value : holder, key);
  return value === undefined ? none : new Optional(true, value);
};

/** A failure that another operand may still outweigh, as CEL's logical operators and quantifiers allow. */
export function attempt(run: Evaluate, evaluation: Evaluation): unknown {
  try {
    return run(evaluation);
  } catch (error) {
    if (!(error instanceof ExpressionFailure) || error.final) throw error;
    spend(evaluation, 20);
    return error;
  }
}

/** `||` (deciding = true) and `&&` (deciding = false): the deciding value of either side outweighs a failure of the other. */
function compileLogical(
  deciding: boolean,
  left: Evaluate,
  right: Evaluate,
  nodes: readonly [ASTNode, ASTNode],
): Evaluate {
  return (evaluation) => {
    const first = attempt(left, evaluation);
    if (first === deciding) return deciding;
    if (first === !deciding) return asBool(right(evaluation), nodes[1]);
    if (right(evaluation) === deciding) return deciding;
    if (first instanceof ExpressionFailure) throw first;
    return asBool(first, nodes[0]);
  };
}

function compileHas(argument: ASTNode, context: CompileContext): Evaluate {
  if (argument.op !== '.' && argument.op !== '.?') throw new TypeError('has() was not checked');
  const container = compile(argument.args[0], context);
  const key = argument.args[1];
  return (evaluation) => {
    const holder = container(evaluation);
    return select(holder, key).present;
  };
}

function compileMethod(name: string, receiver: ASTNode, args: readonly ASTNode[], context: CompileContext): Evaluate {
  const holder = compile(receiver, context);
  const rest = args.map((argument) => compile(argument, context));
  const optional = (evaluation: Evaluation): Optional => {
    const value = holder(evaluation);
    if (value instanceof Optional) return value;
    throw new ExpressionFailure(`${name}() needs an optional value such as claims.?email`, blamed(receiver));
  };
  const [first] = rest;
  if (name === 'orValue' && first !== undefined)
    return (evaluation) => {
      const value = optional(evaluation);
      return value.present ? value.value : first(evaluation);
    };
  if (name === 'or' && first !== undefined)
    return (evaluation) => {
      const value = optional(evaluation);
      if (value.present) return value;
      const other = first(evaluation);
      if (other instanceof Optional) return other;
      throw new ExpressionFailure('or() needs an optional value such as claims.?email', blamed(receiver));
    };
  if (name === 'hasValue') return (evaluation) => optional(evaluation).present;
  return (evaluation) => {
    const value = optional(evaluation);
    if (value.present) return value.value;
    throw missing(receiver);
  };
}

function compileCall(name: string, args: readonly ASTNode[], context: CompileContext): Evaluate {
  const implementation = celFunctions.get(name)?.call;
  if (implementation === undefined) throw new TypeError(`${name}() was not checked`);
  const evaluates = args.map((argument) => compile(argument, context));
  const claim = blamed(...args);
  return (evaluation) =>
    implementation(
      evaluation,
      evaluates.map((evaluate) => evaluate(evaluation)),
      claim,
    );
}

function compileMap(entries: readonly (readonly [ASTNode, ASTNode])[], context: CompileContext): Evaluate {
  const compiled = entries.map(([key, value]) => [compile(key, context), compile(value, context), key] as const);
  return (evaluation) => {
    const map = new Map<string, unknown>();
    for (const [key, value, node] of compiled) {
      const name = key(evaluation);
      if (typeof name !== 'string') throw new ExpressionFailure('the keys of a map are strings here', blamed(node));
      if (map.has(name)) throw new ExpressionFailure('a map has the same key twice', blamed(node));
      map.set(name, value(evaluation));
    }
    return map;
  };
}

const negate = (value: unknown, node: ASTNode): unknown => {
  if (typeof value === 'number') return -value;
  if (typeof value === 'bigint' && value !== -(2n ** 63n)) return -value;
  throw new ExpressionFailure(`"-" does not apply to ${typeName(value)}`, blamed(node));
};

const readClaims: Evaluate = (evaluation) => evaluation.claims;

/** Compiles a node that createExpressionReader accepted. */
export function compile(node: ASTNode, context: CompileContext): Evaluate {
  const variable = variableName(node);
  if (variable !== undefined) return context.variable(variable);

  switch (node.op) {
    case 'value': {
      const literal = node.args;
      return () => literal;
    }
    case 'id': {
      const local = context.bound.findLast(({ name }) => name === node.args);
      if (local === undefined) return readClaims;
      const { slot } = local;
      return (evaluation) => evaluation.locals[slot];
    }
    case '.': {
      const key = node.args[1];
      if (node.args[0].op === 'id' && node.args[0].args === 'claims')
        return ({ claims }) => {
          if (!Object.hasOwn(claims, key)) throw missing(node);
          return claims[key];
        };
      return compileAccess(compile(node.args[0], context), () => key, node);
    }
    case '[]':
      return compileAccess(compile(node.args[0], context), compile(node.args[1], context), node);
    case '.?': {
      const [holder, key] = [compile(node.args[0], context), node.args[1]];
      return (evaluation) => select(holder(evaluation), key);
    }
    case '[?]': {
      const [holder, key] = [compile(node.args[0], context), compile(node.args[1], context)];
      return (evaluation) => select(holder(evaluation), key(evaluation));
    }
    case 'list': {
      const items = node.args.map((item) => compile(item, context));
      return (evaluation) => items.map((item) => item(evaluation));
    }
    case 'map':
      return compileMap(node.args, context);
    case '?:': {
      const [conditionNode, yes, no] = node.args;
      const condition = compile(conditionNode, context);
      const [whenTrue, whenFalse] = [compile(yes, context), compile(no, context)];
      return (evaluation) => {
        const taken = asBool(condition(evaluation), conditionNode);
        if (evaluation.trace !== undefined) context.onBranch(node, evaluation, taken);
        return taken ? whenTrue(evaluation) : whenFalse(evaluation);
      };
    }
    case '||':
    case '&&':
      return compileLogical(
        node.op === '||',
        compile(node.args[0], context),
        compile(node.args[1], context),
        node.args,
      );
    case '!_': {
      const operand = compile(node.args, context);
      return (evaluation) => !asBool(operand(evaluation), node.args);
    }
    case '-_': {
      const operand = compile(node.args, context);
      return (evaluation) => negate(operand(evaluation), node.args);
    }
    case 'call': {
      const [name, args] = node.args;
      const [first] = args;
      return name === 'has' && first !== undefined ? compileHas(first, context) : compileCall(name, args, context);
    }
    case 'rcall': {
      const macro = macroCall(node);
      if (macro !== undefined) return compileMacro(macro, context);
      const [name, receiver, args] = node.args;
      return optionalMethods.has(name)
        ? compileMethod(name, receiver, args, context)
        : compileCall(name, [receiver, ...args], context);
    }
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
    case 'in': {
      const operator = binaryOperators[node.op];
      const [left, right] = [compile(node.args[0], context), compile(node.args[1], context)];
      const claim = blamed(...node.args);
      return (evaluation) => operator(evaluation, left(evaluation), right(evaluation), claim);
    }
  }
}
