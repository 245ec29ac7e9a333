// The built program as a child process on real sockets. Takes settings; returns log lines and the exit code.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import { freePort } from '../../../demo/free-port.ts';
import { logMessages, type LogMessage } from '../sentences/log-messages.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly event?: string;
  readonly requestId?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly [member: string]: unknown;
}

export interface ProgramResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  readonly port?: number;
}

export interface Program {
  readonly port: number;
  readonly adminPort: number;
  /** The working directory of this program only. */
  readonly folder: string;
  readonly send: (options?: RequestOptions) => Promise<ProgramResponse>;
  /** The output so far, of both streams. */
  readonly output: () => string;
  readonly lines: () => readonly LogLine[];
  /** The lines with this message. */
  readonly logged: (message: LogMessage) => readonly LogLine[];
  readonly pid: number;
  /** `false`: stops reading standard output; `true` reads again. */
  readonly readOutput: (isRead: boolean) => void;
  /** Closes the reader of standard output. */
  readonly closeOutput: () => void;
  readonly signal: (name: NodeJS.Signals) => void;
  readonly exited: Promise<number | null>;
  /** SIGTERM, and the exit code. */
  readonly stop: () => Promise<number | null>;
  /** SIGKILL, and the end of the process. */
  readonly kill: () => Promise<number | null>;
}

/** One request on a separate connection. */
export function sendRequest(
  port: number,
  { method = 'POST', path = '/guest-token', headers = {}, body }: RequestOptions = {},
): Promise<ProgramResponse> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const call = request(
      { host: '127.0.0.1', port, method, path, headers: { ...length, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** Node's compile cache of a build, which saves a sixth of the CPU time of a start. */
export const compiledOf = (path: string): string => join(dirname(path), parse(path).name, 'compiled');

function collect(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  return () => text;
}

const parseLine = (line: string): readonly LogLine[] => {
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return [];
  }
};

/** Each line of a growing text is parsed once. */
function createLineReader(output: () => string): () => readonly LogLine[] {
  const parsed: LogLine[] = [];
  let end = 0;
  return () => {
    const text = output();
    const newEnd = text.lastIndexOf('\n') + 1;
    parsed.push(...text.slice(end, newEnd).split('\n').flatMap(parseLine));
    end = newEnd;
    return [...parsed, ...parseLine(text.slice(end))];
  };
}

/** Runs a command to its end. */
export function runProgram(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd = process.cwd(),
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [path, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = collect(child);
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, output: output() })));
}

interface ProgramOptions {
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Files written into the program's working directory first. */
  readonly files?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  readonly nodeArgs?: readonly string[];
  /** Default: the Node that runs the tests. */
  readonly node?: string;
}

/** Starts `serve` and waits until it listens. Throws with its output if it exits. */
export async function startProgram({
  path,
  env,
  files = {},
  nodeArgs = [],
  node = process.execPath,
}: ProgramOptions): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-program-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const child = spawn(node, [...nodeArgs, path, 'serve'], {
    cwd: folder,
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: String(await freePort()),
      SHUTDOWN_DRAIN_SECONDS: '0',
      ...(existsSync(compiledOf(path)) && { NODE_COMPILE_CACHE: compiledOf(path) }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      rmSync(folder, { recursive: true, force: true });
      resolve(code);
    });
  });
  const lines = createLineReader(output);
  const logged = (name: LogMessage): readonly LogLine[] =>
    lines().filter(({ message }) => message.includes(logMessages[name]));
  const listening = async (): Promise<LogLine> => {
    for (;;) {
      const [line] = logged('listening');
      if (line !== undefined) return line;
      if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}: ${output()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const line = await listening();
  const port = line['port'] as number;
  return {
    port,
    adminPort: line['adminPort'] as number,
    folder,
    send: (options = {}) => sendRequest(options.port ?? port, options),
    output,
    lines,
    logged,
    pid: child.pid ?? 0,
    readOutput: (isRead) => void (isRead ? child.stdout.resume() : child.stdout.pause()),
    closeOutput: () => void child.stdout.destroy(),
    signal: (name) => void child.kill(name),
    exited,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}
