// CORS (Fetch standard §3.2) by an exact list of origins, on every answer, refusals included. No list, no headers.
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface CorsOptions {
  readonly origins: readonly string[];
  /** Whether browsers may send cookies along; only with JWT_COOKIE_NAME. */
  readonly credentials: boolean;
}

const exposedHeaders = [
  'Guest-Token-Expires-In',
  'Guest-Token-Grant',
  'X-Request-Id',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'WWW-Authenticate',
];
const preflightMaxAgeSeconds = 600;

/** Adds the headers for allowed origins to every answer. Preflight is answered by the route, see answerPreflight. */
export async function registerCors(app: FastifyInstance, { origins, credentials }: CorsOptions): Promise<void> {
  const allowed = new Set(origins);
  await app.register(cors, {
    origin: (origin, decide) => decide(null, origin !== undefined && allowed.has(origin) ? origin : false),
    credentials,
    exposedHeaders,
    preflight: false,
  });
}

/** Answers OPTIONS: what the method allows, and to an allowed origin what it may send. Never mints anything. */
export function answerPreflight(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('allow', 'POST, OPTIONS').header('cache-control', 'no-store');
  if (reply.hasHeader('access-control-allow-origin')) {
    reply
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', 'Authorization, Content-Type, X-Request-Id')
      .header('access-control-max-age', String(preflightMaxAgeSeconds));
  }
  return reply.code(204).send();
}
