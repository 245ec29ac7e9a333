// Two forward proxies on loopback: Debian's tinyproxy, and a scripted one.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../demo/free-port.ts';
import { sendRequest } from '../programs/program.ts';
import { until } from '../until.ts';
import { needs } from '../vitest/needs.ts';

export const tinyproxyIsInstalled = spawnSync('tinyproxy', ['-v']).status === 0;
/** Appended to the titles of tests that are skipped without it. */
export const tinyproxyReason = needs(tinyproxyIsInstalled, 'tinyproxy');

export interface Tinyproxy {
  readonly url: string;
  /** Lines of its log with the requested targets. */
  readonly requests: () => readonly string[];
  readonly stop: () => void;
}

/** @param user user and password for Basic authentication; without it, none is required */
export async function startTinyproxy(user?: { readonly name: string; readonly password: string }): Promise<Tinyproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'tinyproxy-'));
  const port = await freePort();
  const log = join(folder, 'log');
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    'LogLevel Connect',
    `LogFile "${log}"`,
    `PidFile "${join(folder, 'pid')}"`,
    ...(user === undefined ? [] : [`BasicAuth ${user.name} ${user.password}`]),
  ];
  writeFileSync(join(folder, 'tinyproxy.conf'), `${lines.join('\n')}\n`);
  const child = spawn('tinyproxy', ['-d', '-c', join(folder, 'tinyproxy.conf')], { stdio: 'ignore' });
  await until(() =>
    sendRequest(port, { method: 'GET', path: '/' }).then(
      () => true,
      () => false,
    ),
  );
  return {
    url: `http://${user === undefined ? '' : `${user.name}:${user.password}@`}127.0.0.1:${port}`,
    requests: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .flatMap((line) => /Request \([^)]*\): (.+) HTTP\/1/.exec(line)?.[1] ?? [])
        .filter((request) => request !== 'GET /'),
    stop: () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The reaction to a CONNECT; `tunnel` connects to the requested port on this machine, whatever the host. */
export type ConnectBehaviour = 'tunnel' | 'hang' | 'reset' | 'garbage' | number;

export interface ScriptedProxy {
  readonly url: string;
  readonly behave: (behaviour: ConnectBehaviour) => void;
  /** Request lines, with the value of Proxy-Authorization if there is one. */
  readonly requests: readonly string[];
  readonly openSockets: () => number;
  readonly close: () => Promise<void>;
}

export async function startScriptedProxy(): Promise<ScriptedProxy> {
  let behaviour: ConnectBehaviour = 'tunnel';
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const note = ({ method, url, headers }: IncomingMessage): void => {
    requests.push([method, url, headers['proxy-authorization'] ?? ''].join(' ').trim());
  };
  const server = createServer((request, response) => {
    note(request);
    request.resume();
    response.writeHead(behaviour === 'tunnel' ? 502 : Number(behaviour)).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  server.on('connect', (request, socket: Socket, head) => {
    note(request);
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    if (behaviour === 'hang') socket.resume();
    else if (behaviour === 'reset') socket.resetAndDestroy();
    else if (behaviour === 'garbage') socket.end('SSH-2.0-OpenSSH_9.9\r\n');
    else if (behaviour !== 'tunnel') socket.end(`HTTP/1.1 ${behaviour} No\r\ncontent-length: 0\r\n\r\n`);
    else {
      const target = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        target.write(head);
        socket.pipe(target).pipe(socket);
      });
      target.on('error', () => socket.destroy());
      socket.on('close', () => target.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave: (next) => (behaviour = next),
    requests,
    openSockets: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
