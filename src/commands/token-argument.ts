// The value of --token: the name of a file with a JWT, or - for standard input, so that tokens stay out of shell
// histories; or the JWT itself.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommandContext } from './command.ts';

const looksLikeJwt = /^(?:Bearer +)?[\w-]+\.[\w-]*\.[\w-]*$/i;

/** The token without `Bearer` and white space; undefined if the file cannot be read. */
export async function readToken(
  argument: string,
  context: Pick<CommandContext, 'stdin' | 'cwd'>,
): Promise<string | undefined> {
  let text = argument;
  if (argument === '-') text = await context.stdin();
  else if (!looksLikeJwt.test(argument.trim())) {
    try {
      text = readFileSync(resolve(context.cwd, argument), 'utf8');
    } catch {
      return undefined;
    }
  }
  return text.trim().replace(/^Bearer +/i, '');
}
