// /livez, /readyz and /healthz for orchestrators: the status of each check, without details or secrets.
import type { FastifyInstance, FastifyRequest } from 'fastify';

export type Checks = Readonly<Record<string, 'ok' | 'failing'>>;

/** The checks of readiness, and those that are only informative. Called for every probe, so they must be cheap. */
export type Readiness = () => { readonly isReady: boolean; readonly checks: Checks };

export const probePaths = ['/livez', '/readyz', '/healthz'] as const;

/** Registers the health routes under `basePath`. */
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
 * Whether a request is a health probe. Probes are not rate limited: they are cheap, and a refused probe would take a
 * loaded replica out of service.
 */
export function createProbeCheck(basePath: string): (request: FastifyRequest) => boolean {
  const probes: ReadonlySet<string | undefined> = new Set(probePaths.map((path) => basePath + path));
  return ({ method, routeOptions }) => (method === 'GET' || method === 'HEAD') && probes.has(routeOptions.url);
}
