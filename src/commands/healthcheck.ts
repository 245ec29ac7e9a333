// healthcheck: requests /readyz of the configured port, for HEALTHCHECK in images without curl.
import { get } from 'node:http';
import { createSettingReader } from '../config/setting-reader.ts';
import { readListeners } from '../config/read-listeners.ts';
import { toLine, type Problem } from '../problem.ts';
import { type Command, exitCode, parseWords } from './command.ts';

const timeoutMs = 3_000;

const wildcards: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '[::1]'],
]);

/** The local address of a listener on `host`. */
function reachableHost(host: string): string {
  return wildcards.get(host) ?? (host.includes(':') ? `[${host}]` : host);
}

/** The status of the response to a GET. A runtime asks every few seconds, so this loads no HTTP client of its own. */
const statusOf = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume().on('error', reject);
      response.on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });

export const healthcheckCommand: Command = {
  name: 'healthcheck',
  help: `Usage: guest-token-proxy healthcheck

Requests http://HOST:PORT/readyz (after BASE_PATH, if set) of the service that runs with the same settings.
Exit code 0 if it is ready, 1 if it is not ready or does not respond.
`,
  run: async (context) => {
    const words = parseWords(healthcheckCommand, context, {});
    if ('exit' in words) return words.exit;
    const problems: Problem[] = [];
    const reader = createSettingReader(context.env, () => Buffer.alloc(0), problems);
    const host = reader.text('HOST') ?? '';
    const port = reader.integer('PORT', 1, 65_535);
    const { basePath } = readListeners(reader);
    if (port === undefined) {
      context.err(`${problems.map(toLine).join('\n')}\n`);
      return exitCode.configuration;
    }
    try {
      const status = await statusOf(`http://${reachableHost(host)}:${port}${basePath}/readyz`);
      if (status === 200) {
        context.out('ready\n');
        return exitCode.ok;
      }
      context.err(`not ready: /readyz responded with ${status}\n`);
    } catch {
      context.err(`not ready: no response on port ${port}\n`);
    }
    return exitCode.checkFailed;
  },
};
