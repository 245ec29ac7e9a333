// What the service is compared with, each a program of its own that listens on a free port and says which.

const end = `
await app.listen({ host: '127.0.0.1', port: 0 });
console.log(JSON.stringify({ message: 'listening', port: app.server.address().port }));
`;

/** As little as Fastify can do for a POST. */
export const emptyRoute = `
import Fastify from 'fastify';
const app = Fastify();
app.post('/guest-token', async () => ({ token: '00000000-0000-4000-8000-000000000000' }));
${end}`;

/**
 * The same plugins by their own defaults and one log line per request, as they are put together by hand: verified tokens
 * cached, one limit per address, no policy, no reuse key, no second limit.
 */
export const handWrittenRoute = `
import cors from '@fastify/cors';
import jwt from '@fastify/jwt';
import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController } from 'fastify';
const app = Fastify({ logger: true, logController: new LogController({ disableRequestLogging: true }) });
await app.register(cors, { origin: ['https://app.example'] });
await app.register(rateLimit, { max: 10_000_000, timeWindow: 60_000 });
await app.register(jwt, { secret: process.env.JWT_SECRET, verify: { cache: true, allowedAud: 'bench' } });
app.post('/guest-token', async (request) => {
  const { iss, sub } = await request.jwtVerify();
  request.log.info({ event: 'guest_token.issued', iss, sub, dataApp: 'sales-dashboard', clientId: 'acme' }, 'guest token issued');
  return { token: '00000000-0000-4000-8000-000000000000' };
});
${end}`;
