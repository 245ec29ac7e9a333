// The demo as a separate process, with its own ports.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { resolve as resolvePath } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface DemoProcess {
  readonly child: ChildProcess;
  /** Everything printed so far. */
  readonly output: () => string;
  /** The first line that starts with this; rejects when the demo ends before or after 25 s. */
  readonly line: (start: string) => Promise<string>;
  readonly pageUrl: () => Promise<string>;
  readonly proxyUrl: () => Promise<string>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** Node's compile cache, which halves the CPU time of a start from the sources. */
const compileCache = resolvePath('node_modules/.cache/guest-token-proxy/compiled');

/**
 * @param env in addition to PATH; without DEMO_ENV_FILE there is no .env
 * @param command starts the demo, in a separate process group, as in a terminal
 */
export function startDemo(
  env: Readonly<Record<string, string>> = {},
  [file, ...args]: readonly [string, ...string[]] = [process.execPath, 'demo/main.ts'],
): DemoProcess {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: compileCache,
      DEMO_ENV_FILE: 'there-is-no-such.env',
      DEMO_PAGE_PORT: '0',
      DEMO_PROXY_PORT: '0',
      DEMO_ADMIN_PORT: '0',
      DEMO_DATABRAIN_PORT: '0',
      ...env,
    },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  let isEnded = false;
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => {
      isEnded = true;
      resolve(code ?? signal ?? 'unknown');
    });
  });

  const line = async (start: string): Promise<string> => {
    for (const deadline = Date.now() + 25_000; Date.now() < deadline; await delay(20)) {
      const found = printed
        .split('\n')
        .slice(0, -1)
        .find((text) => text.startsWith(start));
      if (found !== undefined) return found;
      if (isEnded) break;
    }
    throw new Error(`The demo printed no line that starts with "${start}":\n${printed}`);
  };
  const address = async (start: string): Promise<string> => {
    const url = /http:\/\/[\d.:]+/.exec(await line(start))?.[0];
    if (url === undefined) throw new Error(`There is no address behind "${start}"`);
    return url;
  };

  return {
    child,
    output: () => printed,
    line,
    pageUrl: () => address('Page'),
    proxyUrl: () => address('Proxy'),
    ended,
  };
}

/** Whether the address has no listener within `withinMs`. */
export async function isClosed(url: string, withinMs: number): Promise<boolean> {
  const { hostname, port } = new URL(url);
  for (const deadline = Date.now() + withinMs; ; await delay(50)) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (!isOpen) return true;
    if (Date.now() > deadline) return false;
  }
}
