// Compiles a checked expression to closures over the state of a decision, so that no tree is walked per request.
// Follows CEL's evaluation rules and adds what the library's evaluator lacks: fuel, and a trace of ternaries.
import type { ASTNode } from '@marcbachmann/cel-js';
import { expressionFailure, type Evaluation, type Evaluate } from './evaluation.ts';
import { celFunctions, optionalMethods } from './cel-functions.ts';
import { binaryOperators, isBinaryOperation } from './cel-operators.ts';
import { claimReadBy, macroCall, variableName, type MacroCall } from './cel-tree.ts';
import { typeName } from './cel-values.ts';
import { compileAccess, compileClaim, compileOptionalMethod, select } from './compile-access.ts';
import { asBool, compileLogical, compileMacro } from './compile-logic.ts';

interface BoundName {
  readonly name: string;
  readonly slot: number;
}

export interface CompileContext {
  /** Evaluates a variable that is defined above. */
  readonly variable: (name: string) => Evaluate;
  /** Reports the chosen branch of a ternary to `evaluation.trace`, which is present. */
  readonly onBranch: (ternary: ASTNode, evaluation: Evaluation, taken: boolean) => void;
  /** Names bound by macros, outermost first, with their slots in `evaluation.locals`. */
  readonly bound: readonly BoundName[];
  /** A slot that no other macro of the policy uses, because a variable may be evaluated inside another macro. */
  readonly newSlot: () => number;
}

function compileHas(argument: ASTNode, context: CompileContext): Evaluate {
  if (argument.op !== '.' && argument.op !== '.?') throw new TypeError('has() was not checked');
  const container = compile(argument.args[0], context);
  const key = argument.args[1];
  return (evaluation) => select(evaluation, container(evaluation), key, argument).present;
}

function compileMacroCall({ name, receiver, bound, bodies }: MacroCall, context: CompileContext): Evaluate {
  const slot = context.newSlot();
  const inner = { ...context, bound: [...context.bound, { name: bound, slot }] };
  return compileMacro({
    name,
    list: compile(receiver, context),
    bodies: bodies.map((body) => compile(body, inner)),
    // A quarter of its characters is an estimate of the nodes of the body.
    cost: 1 + bodies.reduce((sum, body) => sum + ((body.end - body.start) >> 2), 0),
    slot,
    claim: claimReadBy(receiver),
  });
}

function compileCall(name: string, args: readonly ASTNode[], context: CompileContext): Evaluate {
  const implementation = celFunctions.get(name)?.call;
  if (implementation === undefined) throw new TypeError(`${name}() was not checked`);
  const evaluates = args.map((argument) => compile(argument, context));
  const claim = claimReadBy(...args);
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
      if (typeof name !== 'string') throw expressionFailure('the keys of a map must be strings', claimReadBy(node));
      if (map.has(name)) throw expressionFailure('a map has the same key twice', claimReadBy(node));
      map.set(name, value(evaluation));
    }
    return map;
  };
}

const negate = (value: unknown, node: ASTNode): unknown => {
  if (typeof value === 'number') return -value;
  if (typeof value === 'bigint' && value !== -(2n ** 63n)) return -value;
  throw expressionFailure(`"-" does not apply to ${typeName(value)}`, claimReadBy(node));
};

const readClaims: Evaluate = (evaluation) => evaluation.claims;

/** Compiles a node that passed createExpressionReader. */
export function compile(node: ASTNode, context: CompileContext): Evaluate {
  const variable = variableName(node);
  if (variable !== undefined) return context.variable(variable);

  if (isBinaryOperation(node)) {
    const operator = binaryOperators[node.op];
    const [left, right] = [compile(node.args[0], context), compile(node.args[1], context)];
    const claim = claimReadBy(...node.args);
    return (evaluation) => operator(evaluation, left(evaluation), right(evaluation), claim);
  }
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
      if (node.args[0].op === 'id' && node.args[0].args === 'claims') return compileClaim(key, node);
      return compileAccess(compile(node.args[0], context), () => key, node);
    }
    case '[]':
      return compileAccess(compile(node.args[0], context), compile(node.args[1], context), node);
    case '.?': {
      const [holder, key] = [compile(node.args[0], context), node.args[1]];
      return (evaluation) => select(evaluation, holder(evaluation), key, node);
    }
    case '[?]': {
      const [holder, key] = [compile(node.args[0], context), compile(node.args[1], context)];
      return (evaluation) => select(evaluation, holder(evaluation), key(evaluation), node);
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
      if (macro !== undefined) return compileMacroCall(macro, context);
      const [name, receiver, args] = node.args;
      return optionalMethods.has(name)
        ? compileOptionalMethod(name, compile(receiver, context), args[0] && compile(args[0], context), receiver)
        : compileCall(name, [receiver, ...args], context);
    }
  }
}
