// GET /openapi.yaml: the OpenAPI description of this service, the file in the repository's root.
import type { FastifyInstance } from 'fastify';

export const openApiPath = '/openapi.yaml';

export function registerOpenApi(app: FastifyInstance, document: string, basePath: string): void {
  app.get(basePath + openApiPath, async (_request, reply) =>
    reply.type('application/yaml; charset=utf-8').send(document),
  );
}
