// The same plugins, combined by hand in an afternoon: CORS, one rate limit per address, @fastify/jwt with
// its cache, undici to Databrain, one log line per request. No policy, no further limits, no retries.
import cors from '@fastify/cors';
import jwt from '@fastify/jwt';
import rateLimit from '@fastify/rate-limit';
import Fastify, { LogController } from 'fastify';
import { Pool } from 'undici';

const { PORT, JWT_KEY, JWT_ALGORITHM, DATABRAIN_API_URL, DATABRAIN_API_KEY, REUSE } = process.env;
const app = Fastify({ logger: true, logController: new LogController({ disableRequestLogging: true }) });
await app.register(cors, { origin: ['https://app.example.com'] });
await app.register(rateLimit, { max: 100_000_000, timeWindow: 60_000 });
await app.register(jwt, {
  secret: JWT_ALGORITHM === 'RS256' ? { public: JWT_KEY } : JWT_KEY,
  verify: {
    algorithms: [JWT_ALGORITHM],
    allowedIss: 'https://bench.example',
    allowedAud: 'bench',
    requiredClaims: ['iss', 'aud', 'exp', 'sub'],
    cache: true,
  },
});
const databrain = new Pool(DATABRAIN_API_URL, { connections: 128 });
const known = new Map();

async function mint(claims) {
  const { body } = await databrain.request({
    method: 'POST',
    path: '/api/v2/guest-token/create',
    headers: { authorization: `Bearer ${DATABRAIN_API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      clientId: claims.org_id,
      dataAppName: 'sales-dashboard',
      params: { userIdentifier: claims.sub, allowedEmbeds: ['sales-overview'] },
      expiryTime: 3_600_000,
    }),
  });
  const { token } = await body.json();
  return token;
}

app.post('/guest-token', async (request) => {
  const claims = await request.jwtVerify();
  let token = REUSE === '1' ? known.get(claims.sub) : undefined;
  if (token === undefined) {
    token = await mint(claims);
    if (REUSE === '1') known.set(claims.sub, token);
  }
  request.log.info({ iss: claims.iss, sub: claims.sub, clientId: claims.org_id }, 'guest token issued');
  return { token };
});
await app.listen({ host: '127.0.0.1', port: Number(PORT) });
