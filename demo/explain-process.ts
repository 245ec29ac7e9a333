// Runs the proxy's `explain` command for a user's claims, once per user and policy.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

interface ExplainOptions {
  readonly node: string;
  readonly root: string;
  /** Must contain POLICY_FILE. */
  readonly env: Readonly<Record<string, string>>;
}

async function explainClaims(claims: object, { node, root, env }: ExplainOptions): Promise<unknown> {
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

/**
 * @param policy text of the policy in use, so that a changed policy is explained again
 * @returns the parsed output of `explain --json`; rejects if the command fails
 */
export function createExplainer(options: ExplainOptions, policy: () => string): (claims: object) => Promise<unknown> {
  const known = new Map<string, Promise<unknown>>();
  return async (claims) => {
    const key = JSON.stringify([claims, policy()]);
    const explained = known.get(key) ?? explainClaims(claims, options);
    known.set(key, explained);
    explained.catch(() => known.delete(key));
    return explained;
  };
}
