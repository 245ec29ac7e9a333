// The admin listener: metrics, version and health, for operators. Never reachable through the public port.
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { refusePlainly, registerFallbacks } from './fallbacks.ts';
import { registerHealth, type Readiness } from './health.ts';
import { createServer } from './server.ts';

export interface AdminOptions {
  readonly logger: FastifyBaseLogger;
  readonly readiness: Readiness;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** What runs: the program's version and the policy revision in use. */
  readonly version: () => Readonly<Record<string, string>>;
}

const paths = ['/metrics', '/version', '/livez', '/readyz', '/healthz'];

/** Creates the listener; it is opened only if ADMIN_PORT says so. */
export function createAdminListener({ logger, readiness, metrics, version }: AdminOptions): FastifyInstance {
  const app = createServer({ logger, trustProxy: [], onProtocolError: () => undefined });
  registerFallbacks(app, new Map(paths.map((path) => [path, 'GET, HEAD'])), refusePlainly);
  registerHealth(app, readiness);

  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics();
    return reply.header('cache-control', 'no-store').type(contentType).send(text);
  });

  app.get('/version', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return version();
  });

  return app;
}
