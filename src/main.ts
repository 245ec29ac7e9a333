#!/usr/bin/env node
// The process: argv → command → exit code. The only file that touches process.* and the signals.
import closeWithGrace from 'close-with-grace';
import { systemClock } from './clock.ts';
import { exitCode, type Command, type LongRunning } from './commands/command.ts';
import { oldestNode, version } from './version.ts';

/** A command is loaded when it is called: health checks start the program every few seconds. */
const commands: readonly { readonly name: string; readonly summary: string; readonly load: () => Promise<Command> }[] =
  [
    {
      name: 'serve',
      summary: 'runs the service (the default)',
      load: async () => (await import('./commands/serve.ts')).serveCommand,
    },
    {
      name: 'check',
      summary: 'validates settings and policy without starting',
      load: async () => (await import('./commands/check.ts')).checkCommand,
    },
    {
      name: 'explain',
      summary: 'shows the decision of the policy for given claims, and why',
      load: async () => (await import('./commands/explain.ts')).explainCommand,
    },
    {
      name: 'test',
      summary: 'runs policy tests (*.policy-test.yaml)',
      load: async () => (await import('./commands/test.ts')).testCommand,
    },
    {
      name: 'diff',
      summary: 'compares two policies for given claims',
      load: async () => (await import('./commands/diff.ts')).diffCommand,
    },
    {
      name: 'healthcheck',
      summary: 'requests /readyz of the configured port; exit code 0 if ready',
      load: async () => (await import('./commands/healthcheck.ts')).healthcheckCommand,
    },
    {
      name: 'dev-token',
      summary: 'signs a JWT with JWT_SECRET, for development',
      load: async () => (await import('./commands/dev-token.ts')).devTokenCommand,
    },
  ];

const help = `guest-token-proxy ${version}
Exchanges your users' access tokens for Databrain guest tokens, by a policy.

Usage: guest-token-proxy [command] [options]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}

Every command explains itself with --help. Settings are environment variables; see docs/settings.md.
Exit codes: 0 success, 1 a check failed, a secret store is unavailable, or the service failed, 64 wrong usage,
78 wrong configuration.
`;

async function stdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

function untilStopped({ stop, reload, stopWithinMs }: LongRunning): Promise<number> {
  process.on('SIGHUP', reload);
  let hasLostOutput = false;
  const { close } = closeWithGrace(
    { delay: stopWithinMs, logger: false, skip: ['SIGHUP', 'beforeExit'] },
    async ({ signal, err }) => {
      await stop({ signal, error: err });
      if (hasLostOutput) process.exit(exitCode.checkFailed);
    },
  );
  // Nothing can be recorded again until a supervisor starts the process with a new output.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' || hasLostOutput) return;
    hasLostOutput = true;
    process.stderr.write('standard output was closed; the service stops, because no guest token could be recorded\n');
    void close();
  });
  return new Promise(() => undefined);
}

/** Whether this Node.js lacks what the program needs, which would show only when a request comes. */
function isNodeTooOld(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

async function main(argv: readonly string[]): Promise<number> {
  if (isNodeTooOld()) {
    process.stderr.write(`Node.js: ${process.versions.node} is too old. Use Node.js ${oldestNode} or newer.\n`);
    return exitCode.configuration;
  }
  const [first = 'serve', ...rest] = argv;
  if (first === '--help' || first === '-h' || first === 'help') {
    process.stdout.write(help);
    return exitCode.ok;
  }
  if (first === '--version') {
    process.stdout.write(`${version}\n`);
    return exitCode.ok;
  }
  const isOption = first.startsWith('-');
  const command = commands.find(({ name }) => name === (isOption ? 'serve' : first));
  if (command === undefined) {
    process.stderr.write(`guest-token-proxy: unknown command. Try --help.\n`);
    return exitCode.usage;
  }
  const { run } = await command.load();
  return run({
    args: isOption ? argv : rest,
    env: process.env,
    cwd: process.cwd(),
    programUrl: import.meta.url,
    stdin,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    log: process.stdout,
    isTerminal: process.stdout.isTTY,
    clock: systemClock,
    untilStopped,
  });
}

// A reader that exits early (`explain | head`) must not cause a stack trace. The log writer handles its own errors.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

/**
 * Without the error's message, which may quote input, and without the line of the bundle, which Node would print whole.
 * Ends the process, which may hold open sockets and would otherwise stay, useless.
 */
async function endForBug(error: unknown): Promise<never> {
  const { toLoggableError } = await import('./telemetry/log.ts');
  const { type, code, stack } = toLoggableError(error);
  const frames = Array.isArray(stack) ? stack : [];
  const lines = ['guest-token-proxy: an internal error ended the program. Please report these lines:', code ?? type];
  const text = `${[...lines, ...frames.map((frame) => `  ${frame}`)].join('\n')}\n`;
  process.stderr.write(text, () => process.exit(exitCode.checkFailed));
  return new Promise(() => undefined);
}

process.exitCode = await main(process.argv.slice(2)).catch(endForBug);
