// /livez, /readyz and /healthz for orchestrators: yes or no and which part, without details and without secrets.
import type { FastifyInstance, FastifyRequest } from 'fastify';

export type Checks = Readonly<Record<string, 'ok' | 'failing'>>;

/** What must hold before traffic makes sense, and what an operator should know; asked at every probe, so it must be cheap. */
export type Readiness = () => { readonly isReady: boolean; readonly checks: Checks };

export const probePaths = ['/livez', '/readyz', '/healthz'] as const;

/** Registers the probes under `basePath`. */
export function registerHealth(app: FastifyInstance, readiness: Readiness, basePath = ''): void {
  app.get(`${basePath}/livez`, async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return { status: 'ok', checks: {} };
  });

  for (const path of ['/readyz', '/healthz']) {
    app.get(basePath + path, async (_request, reply) => {
      const { isReady, checks } = readiness();
      reply.code(isReady ? 200 : 503).header('cache-control', 'no-store');
      return { status: isReady ? 'ok' : 'failing', checks };
    });
  }
}

/**
 * Tells whether a request is a health probe, which no limit counts: it costs nothing, and a limited probe would take a
 * loaded replica out of service.
 */
export function createProbeCheck(basePath: string): (request: FastifyRequest) => boolean {
  const probes: ReadonlySet<string | undefined> = new Set(probePaths.map((path) => basePath + path));
  return ({ method, routeOptions }) => (method === 'GET' || method === 'HEAD') && probes.has(routeOptions.url);
}
