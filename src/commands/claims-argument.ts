// The values of --claims and --token: the text itself, the name of a file that holds it, or - for standard input, so
// that tokens stay out of shell histories.
import { isJsonObject, type JsonObject } from '../strict-json.ts';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommandContext } from './command.ts';

type InputSources = Pick<CommandContext, 'stdin' | 'cwd'>;

/** @param itself matches an argument that is the text itself, not the name of a file */
async function textOf(argument: string, itself: RegExp, { stdin, cwd }: InputSources): Promise<string> {
  if (argument === '-') return stdin();
  return itself.test(argument.trim()) ? argument : readFileSync(resolve(cwd, argument), 'utf8');
}

/** The claims, or a message that says why they cannot be read, without the input. */
export async function readClaims(argument: string, sources: InputSources): Promise<JsonObject | string> {
  let text: string;
  try {
    text = await textOf(argument, /^\{/, sources);
  } catch {
    return 'the file for --claims cannot be read';
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    return 'the claims are not JSON';
  }
  return 'the claims are not a JSON object';
}

const jwt = /^(?:Bearer +)?[\w-]+\.[\w-]*\.[\w-]*$/i;

/** The token without `Bearer` and white space; undefined if it cannot be read. */
export async function readToken(argument: string, sources: InputSources): Promise<string | undefined> {
  try {
    return (await textOf(argument, jwt, sources)).trim().replace(/^Bearer +/i, '');
  } catch {
    return undefined;
  }
}
