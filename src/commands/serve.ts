// serve: runs the service until it is asked to stop. All configuration problems are reported before any socket opens.
import { buildApp } from '../app.ts';
import type { Configuration } from '../config/load-configuration.ts';
import type { PlaygroundFiles } from '../http/playground.ts';
import { ConfigurationError } from '../problem.ts';
import { readBrowserHelper, readOpenApiDocument, readPlaygroundFiles } from '../shipped-files.ts';
import { createLog } from '../telemetry/log.ts';
import type { LogSink } from '../telemetry/log-writer.ts';
import { escapeUnprintable } from '../printable.ts';
import { type Command, type CommandContext, parseWords } from './command.ts';
import { archiveFirstPolicy, exitCodeOf, loadConfigurationFor, storedSecretsFor } from './command-configuration.ts';

/** Time limit for writing the last lines of the log. */
const flushWithinMs = 2_000;

/** How much longer than drain and grace time stopping may take before the process is ended. */
const stopMarginMs = 3_000;

async function logSink(context: CommandContext): Promise<LogSink> {
  if (!context.isTerminal) return context.log;
  const { prettyFactory } = await import('pino-pretty');
  const toText = prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', messageKey: 'message' });
  return {
    write: (lines, done) => {
      const texts = lines.split('\n').filter((line) => line !== '');
      context.log.write(escapeUnprintable(texts.map((line) => toText(line)).join('')), done);
    },
  };
}

function builtPlayground(programUrl: string): PlaygroundFiles {
  try {
    return readPlaygroundFiles(programUrl);
  } catch {
    const problem = 'is true, but the page is not built';
    throw new ConfigurationError([{ location: 'ADMIN_PLAYGROUND', problem, fix: 'Run npm run build, or unset it' }]);
  }
}

export const serveCommand: Command = {
  name: 'serve',
  help: `Usage: guest-token-proxy serve

Runs the service: POST /guest-token on HOST:PORT, metrics and health on ADMIN_HOST:ADMIN_PORT.
All settings are environment variables; problems are listed at once, exit code 78.

Signals: SIGTERM and SIGINT drain and exit 0, a second one exits at once; SIGHUP reloads policy and secrets.
`,
  run: async (context) => {
    const words = parseWords(serveCommand, context, {});
    if ('exit' in words) return words.exit;

    const stored = await storedSecretsFor(context);
    let configuration: Configuration;
    let playgroundFiles: PlaygroundFiles | undefined;
    try {
      configuration = await loadConfigurationFor(context, stored);
      playgroundFiles = configuration.settings.hasPlayground ? builtPlayground(context.programUrl) : undefined;
      await archiveFirstPolicy(context, configuration);
    } catch (error) {
      await stored.close();
      return exitCodeOf(error, context);
    }

    const { settings } = configuration;
    const log = createLog({ level: settings.logLevel, sink: await logSink(context), clock: context.clock });
    const { logger } = log;
    for (const name of settings.insecure) logger.warn({ setting: name }, 'an insecure setting is enabled');
    for (const { location, problem } of settings.warnings) logger.warn({ setting: location }, `a setting ${problem}`);

    const app = await buildApp({
      configuration,
      stored,
      log,
      clock: context.clock,
      openApiDocument: readOpenApiDocument(context.programUrl),
      browserHelper: readBrowserHelper(context.programUrl),
      playgroundFiles,
    });
    try {
      await app.listen();
    } catch (error) {
      await app.stop();
      return exitCodeOf(error, context);
    }

    return context.untilStopped({
      stop: async ({ signal, error }) => {
        if (error !== undefined) logger.fatal({ err: error }, 'stopping after an uncaught error');
        else logger.info({ signal }, 'stopping');
        await app.stop();
        logger.info('stopped');
        await log.flush(flushWithinMs);
      },
      reload: () => void app.reload(),
      stopWithinMs: (settings.shutdown.drainSeconds + settings.shutdown.graceSeconds) * 1000 + stopMarginMs,
    });
  },
};
