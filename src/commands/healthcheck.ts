// healthcheck: asks /readyz of the configured port, for HEALTHCHECK lines in images that have no curl.
import { request } from 'undici';
import { createReader } from '../config/environment.ts';
import { readListeners } from '../config/listeners.ts';
import { toLine, type Problem } from '../problem.ts';
import { exitCode, type Command } from './command.ts';
import { parseWords } from './parse-args.ts';

const timeoutMs = 3_000;

const wildcards: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '[::1]'],
]);

/** The address under which a listener on `host` answers on this machine. */
function reachableHost(host: string): string {
  return wildcards.get(host) ?? (host.includes(':') ? `[${host}]` : host);
}

export const healthcheckCommand: Command = {
  name: 'healthcheck',
  summary: 'asks /readyz of the configured port; exit code 0 when ready',
  help: `Usage: guest-token-proxy healthcheck

Asks http://HOST:PORT/readyz (after BASE_PATH, if set) of the service that runs with the same settings.
Exit code 0 when it is ready, 1 when it is not or does not answer.
`,
  run: async (context) => {
    const words = parseWords(healthcheckCommand, context, {});
    if ('exit' in words) return words.exit;
    const problems: Problem[] = [];
    const reader = createReader(context.env, () => Buffer.alloc(0), problems);
    const host = reader.text('HOST') ?? '';
    const port = reader.integer('PORT', 1, 65_535);
    const { basePath } = readListeners(reader);
    if (port === undefined) {
      context.err(`${problems.map(toLine).join('\n')}\n`);
      return exitCode.configuration;
    }
    try {
      const answer = await request(`http://${reachableHost(host)}:${port}${basePath}/readyz`, {
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: AbortSignal.timeout(timeoutMs),
      });
      await answer.body.dump();
      if (answer.statusCode === 200) {
        context.out('ready\n');
        return exitCode.ok;
      }
      context.err(`not ready: /readyz answered ${answer.statusCode}\n`);
    } catch {
      context.err(`not ready: nothing answers on port ${port}\n`);
    }
    return exitCode.checkFailed;
  },
};
