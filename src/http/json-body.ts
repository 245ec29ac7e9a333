// How Fastify handles JSON. A request body is empty, or one JSON object that is parsed strictly (strict-json.ts). A
// route with a schema has a compiled validator, and responses are plain JSON, so Fastify compiles no schema and does
// not load its compilers.
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import { ServiceError } from '../errors.ts';
import { parseJsonObject } from '../strict-json.ts';

function parseObject(bytes: Buffer): unknown {
  try {
    return parseJsonObject(bytes);
  } catch {
    // Where two parsers could differ (duplicate members, odd encodings), the request is refused, not interpreted.
    throw new ServiceError('INVALID_REQUEST', 'body_malformed');
  }
}

/** Replaces Fastify's body parsers. An empty body counts as none, whatever its Content-Type. */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, bytes: Buffer) => (bytes.length === 0 ? undefined : parseObject(bytes)),
  );
}

/** For `schemaController` of every Fastify instance. Throws ServiceError for a route that brings no validator. */
export const schemaCompilers: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: {
    buildValidator: () => () => {
      throw new ServiceError('INTERNAL_ERROR', 'bug');
    },
    buildSerializer: () => () => (data) => JSON.stringify(data),
  },
};
