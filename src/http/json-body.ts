// Parses request bodies: none, or one JSON object as application/json, read strictly (strict-json.ts).
import type { FastifyInstance } from 'fastify';
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
