// Asks the proxy's own `explain` command what its policy makes of a user's claims.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

interface ExplainOptions {
  readonly node: string;
  readonly root: string;
  /** Holds POLICY_FILE. */
  readonly env: Readonly<Record<string, string>>;
}

/** @returns what `explain --json` prints, parsed. Throws if the command fails. */
export async function explainClaims(claims: object, { node, root, env }: ExplainOptions): Promise<unknown> {
  const child = spawn(node, ['src/main.ts', 'explain', '--json', '--claims', '-'], {
    cwd: root,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(claims));
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error('explain failed');
  return JSON.parse(output);
}
