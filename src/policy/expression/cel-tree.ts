// Static analysis of an expression's tree: the claims, variables and macros that it names.
import type { ASTNode } from '@marcbachmann/cel-js';

/** The source text of a node for messages, shortened. */
export function excerpt(node: ASTNode): string {
  const text = node.input.slice(node.start, node.end).replace(/\s+/g, ' ');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** The dotted path of the claim that a chain of literal accesses names (`realm_access.roles`), or undefined. */
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

/** The variable that a node names (`variables.x` or `variables["x"]`), or undefined. */
export function variableName(node: ASTNode): string | undefined {
  if (node.op === '.' && node.args[0].op === 'id' && node.args[0].args === 'variables') return node.args[1];
  if (node.op === '[]' && node.args[0].op === 'id' && node.args[0].args === 'variables') {
    const key = node.args[1];
    if (key.op === 'value' && typeof key.args === 'string') return key.args;
  }
  return undefined;
}

/** The macros that bind a name, with their numbers of arguments. */
export const celMacros: ReadonlyMap<string, readonly number[]> = new Map([
  ['all', [2]],
  ['exists', [2]],
  ['exists_one', [2]],
  ['map', [2, 3]],
  ['filter', [2]],
]);

export interface MacroCall {
  readonly name: string;
  readonly receiver: ASTNode;
  readonly bound: string;
  readonly bodies: readonly ASTNode[];
}

/** The macro that a node calls on a receiver, with the name it binds. */
export function macroCall(node: ASTNode): MacroCall | undefined {
  if (node.op !== 'rcall') return undefined;
  const [name, receiver, [first, ...bodies]] = node.args;
  if (!celMacros.has(name) || first === undefined || first.op !== 'id') return undefined;
  return { name, receiver, bound: first.args, bodies };
}

/** The claim that an operand reads, if known; for the audit line. */
export const claimReadBy = (...nodes: readonly ASTNode[]): string | undefined => {
  for (const node of nodes) {
    const path = claimPath(node);
    if (path !== undefined) return path;
  }
  return undefined;
};

/** Whether a node is a chain of literal accesses to `claims`, without other nodes to visit. */
export const isClaims = (node: ASTNode): boolean => claimPath(node) !== undefined && literalChain(node);

function literalChain(node: ASTNode): boolean {
  if (node.op === 'id') return true;
  if (node.op === '.' || node.op === '.?') return literalChain(node.args[0]);
  if (node.op === '[]' || node.op === '[?]') return node.args[1].op === 'value' && literalChain(node.args[0]);
  return false;
}
