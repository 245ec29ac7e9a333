// The value of --claims: a JSON object, the name of a file that holds one, or - for standard input.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommandContext } from './command.ts';

async function textOf(argument: string, context: Pick<CommandContext, 'stdin' | 'cwd'>): Promise<string> {
  if (argument === '-') return context.stdin();
  if (argument.trimStart().startsWith('{')) return argument;
  return readFileSync(resolve(context.cwd, argument), 'utf8');
}

/** The claims, or a message why they cannot be read, which never quotes the input. */
export async function readClaims(
  argument: string,
  context: Pick<CommandContext, 'stdin' | 'cwd'>,
): Promise<Readonly<Record<string, unknown>> | string> {
  let text: string;
  try {
    text = await textOf(argument, context);
  } catch {
    return 'the file for --claims cannot be read';
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    return 'the claims are not JSON';
  }
  return 'the claims are not a JSON object';
}
