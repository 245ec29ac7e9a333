// The files that the public listener serves as they are: GET /guest-token.js, the browser helper as an ES module, for
// pages of allowed origins; GET /openapi.yaml, the OpenAPI description of this service.
import type { FastifyInstance } from 'fastify';
import { hash } from 'node:crypto';

export const browserHelperPath = '/guest-token.js';

/** RFC 9110 §13.1.2: one of the listed tags, weak or not. */
const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((item) => ['*', etag].includes(item.trim().replace(/^W\//, '')));

/**
 * Caches keep the module for an hour, and may serve it for one more day while they revalidate it (RFC 9110 §8.8.3, RFC
 * 5861 §3).
 * @param source text of the module
 */
export function registerBrowserHelper(app: FastifyInstance, source: string, basePath: string): void {
  const etag = `"${hash('sha256', source, 'base64url').slice(0, 22)}"`;

  app.get(basePath + browserHelperPath, async (request, reply) => {
    reply.header('cache-control', 'public, max-age=3600, stale-while-revalidate=86400').header('etag', etag);
    if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('text/javascript; charset=utf-8').send(source);
  });
}

export const openApiPath = '/openapi.yaml';

export function registerOpenApi(app: FastifyInstance, document: string, basePath: string): void {
  app.get(basePath + openApiPath, async (_request, reply) =>
    reply.type('application/yaml; charset=utf-8').send(document),
  );
}
