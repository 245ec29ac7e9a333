// Request bodies: absent, or one JSON object as application/json, in valid UTF-8. Nothing else is parsed.
import type { FastifyInstance } from 'fastify';
import { ServiceError } from '../errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

function parseObject(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The parser's message repeats the input; the code below says enough.
  }
  throw new ServiceError('INVALID_REQUEST', 'body_malformed');
}

/** Replaces Fastify's parsers. A body of no bytes counts as none, whatever its type says. */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: unknown, bytes: Buffer) => (bytes.length === 0 ? undefined : parseObject(bytes)),
  );
}
