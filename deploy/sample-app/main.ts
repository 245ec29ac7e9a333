// docker-compose.yml's sample app: a page, a login without passwords, and a simulated Databrain on the loopback
// interface. For trying out only: whoever reaches the page can sign in as anybody.
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { startSimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { demoUsers } from '../../demo/login.ts';
import { createIssuer } from './issuer.ts';

const { PORT = '8000', DATABRAIN_PORT = '8090', PROXY_URL = 'http://localhost:8080' } = process.env;
const { JWT_ISSUER = 'http://localhost:8000', JWT_AUDIENCE = 'guest-token-proxy' } = process.env;
const { DATABRAIN_API_KEY_FILE = '/run/secrets/databrain-api-key' } = process.env;

const issuer = createIssuer(JWT_ISSUER, JWT_AUDIENCE);
const databrain = await startSimulatedDatabrain({
  port: Number(DATABRAIN_PORT),
  apiKeys: { 'sales-dashboard': readFileSync(DATABRAIN_API_KEY_FILE, 'utf8').trim() },
});
const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

/** What Databrain shows to the holder of a guest token; the page cannot reach the simulated one itself. */
async function dashboard(authorization: string | undefined, response: ServerResponse): Promise<void> {
  const answer = await fetch(`${databrain.url}/simulated/dashboards/sales-overview`, {
    headers: { authorization: authorization ?? '' },
  });
  sendJson(response, answer.status, await answer.json());
}

const server = createServer((request, response) => {
  const [path, query] = (request.url ?? '').split('?');
  const user = demoUsers.find(({ id }) => id === new URLSearchParams(query).get('user'));
  switch (`${request.method} ${path}`) {
    case 'GET /':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      return;
    case 'GET /users':
      return sendJson(response, 200, {
        proxyUrl: PROXY_URL,
        users: demoUsers.map(({ id, name, title }) => ({ id, name, title })),
      });
    case 'POST /login':
      if (user === undefined) return sendJson(response, 404, { error: 'There is no such user.' });
      return sendJson(response, 200, { accessToken: issuer.issue(user.claims) });
    case 'GET /dashboard':
      dashboard(request.headers.authorization, response).catch(() => response.destroy());
      return;
    case 'GET /jwks.json':
      return sendJson(response, 200, issuer.keySet);
    default:
      return sendJson(response, 404, { error: 'Not found.' });
  }
});

server.listen(Number(PORT), '0.0.0.0');

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    void databrain.close();
  });
}
