// The admin listener: metrics, version and health, for operators. Never reachable through the public port.
import type { FastifyInstance } from 'fastify';
import { refusePlainly, registerFallbacks } from './fallbacks.ts';
import { registerHealth, type Readiness } from './health.ts';

export interface AdminOptions {
  readonly readiness: Readiness;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** What runs: the program's version and the policy revision in use. */
  readonly version: () => Readonly<Record<string, string>>;
}

const paths = ['/metrics', '/version', '/livez', '/readyz', '/healthz'];

export function registerAdmin(app: FastifyInstance, { readiness, metrics, version }: AdminOptions): void {
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
}
