// An issuer's web server on a real socket with scripted responses: key set, metadata, or any kind of fault.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Respond = (request: IncomingMessage, response: ServerResponse) => void;

export interface KeyServer {
  readonly url: string;
  /** The requested paths, in order. */
  readonly requests: string[];
  /** Sets the response of a path. */
  readonly on: (path: string, respond: Respond) => void;
  /** Refuses connections; and listens again on the same port. */
  readonly stop: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export const json =
  (document: unknown, headers: Record<string, string> = {}): Respond =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document));
  };

export const status =
  (code: number, headers: Record<string, string> = {}, text = ''): Respond =>
  (_request, response) => {
    response.writeHead(code, headers).end(text);
  };

/** Sends headers, then single bytes from time to time, without end. */
export const dripping: Respond = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
};

export const silent: Respond = () => undefined;

export async function startKeyServer(): Promise<KeyServer> {
  const responders = new Map<string, Respond>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    (responders.get(path) ?? status(404))(request, response);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    on: (path, respond) => void responders.set(path, respond),
    stop,
    restart: () => listen(port),
    close: async () => {
      if (server.listening) await stop();
    },
  };
}
