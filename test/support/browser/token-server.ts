// A scripted proxy: answers POST /guest-token as a test says, also like a gateway between page and service, and records
// the requests. Without a script it returns a new token for the user of the access token.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ScriptedResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object | string;
  /** Closes the connection instead of answering. */
  readonly isCut?: boolean;
  /** Never answers. */
  readonly isHeld?: boolean;
}

export interface TokenRequest {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
  readonly body: string;
  readonly at: number;
}

export interface TokenServer {
  readonly url: string;
  /** Calls of POST /guest-token, oldest first. */
  readonly requests: readonly TokenRequest[];
  /** Tokens in the component's requests, oldest first. */
  readonly componentTokens: readonly string[];
  /** Answers of the next calls, in this order. */
  readonly script: (...responses: readonly ScriptedResponse[]) => void;
  /** The lifetime of tokens that are not scripted. */
  lifetimeSeconds: number;
  readonly close: () => Promise<void>;
}

export const refusal = (
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): ScriptedResponse => ({
  status,
  headers,
  body: { error: { code, message: `The sentence of ${code}.`, requestId: 'request-1' } },
});

export async function startTokenServer(): Promise<TokenServer> {
  const requests: TokenRequest[] = [];
  const componentTokens: string[] = [];
  const scripted: ScriptedResponse[] = [];

  function sendToken(request: IncomingMessage, response: ServerResponse): void {
    const user = (request.headers.authorization ?? '').replace(/^Bearer jwt-of-(\w+).*$/, '$1');
    const fallback: ScriptedResponse = {
      body: { token: `token-${requests.length}-${user}` },
      headers: { 'guest-token-expires-in': String(server.lifetimeSeconds), 'guest-token-grant': `grant-of-${user}` },
    };
    const { status = 200, headers, body = '', isCut = false, isHeld = false } = scripted.shift() ?? fallback;
    if (isHeld) return;
    if (isCut) return void response.destroy();
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    response.setHeader('access-control-allow-origin', headers.origin ?? '*');
    response.setHeader('access-control-allow-credentials', 'true');
    response.setHeader('access-control-expose-headers', 'Guest-Token-Expires-In, Guest-Token-Grant, Retry-After');
    response.setHeader('access-control-allow-headers', 'authorization, content-type, x-plugin-token');
    if (method === 'OPTIONS') return void response.writeHead(204).end();
    const body = await text(request);
    if (url === '/guest-token') {
      requests.push({ authorization: headers.authorization, cookie: headers.cookie, body, at: Date.now() });
      return sendToken(request, response);
    }
    const token = String(headers['x-plugin-token'] ?? '');
    componentTokens.push(token);
    response.end(JSON.stringify({ token }));
  }

  const listener = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  const server: TokenServer = {
    // The same site as the page, which is on another origin: cookies are sent.
    url: `http://localhost:${(listener.address() as AddressInfo).port}`,
    requests,
    componentTokens,
    lifetimeSeconds: 3600,
    script: (...responses) => void scripted.push(...responses),
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      }),
  };
  return server;
}
