// /livez, /readyz and /healthz for orchestrators: yes or no and which part, without details and without secrets.
import type { FastifyInstance } from 'fastify';

export type Checks = Readonly<Record<string, 'ok' | 'failing'>>;

/** What must hold before traffic makes sense, and what an operator should know; asked at every probe, so it must be cheap. */
export type Readiness = () => { readonly isReady: boolean; readonly checks: Checks };

export const probePaths = ['/livez', '/readyz', '/healthz'] as const;

export function registerHealth(app: FastifyInstance, readiness: Readiness): void {
  app.get('/livez', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'ok', checks: {} };
  });

  for (const path of ['/readyz', '/healthz']) {
    app.get(path, async (_request, reply) => {
      const { isReady, checks } = readiness();
      reply.code(isReady ? 200 : 503).header('cache-control', 'no-store');
      return { status: isReady ? 'ok' : 'failing', checks };
    });
  }
}
