// The environment of the browser tests: a page with the helper on a separate origin, and Chromium.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { buildBrowserHelper } from '../../../scripts/build-browser-helper.ts';
import { launchChromium } from '../programs/chromium.ts';
import { startTokenServer, type TokenServer } from './token-server.ts';

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly server: TokenServer;
  /** Evaluates a JavaScript expression in the page; promises are awaited. */
  readonly run: <T = unknown>(expression: string) => Promise<T>;
  /** The text of each mounted element. */
  readonly shown: () => Promise<readonly string[]>;
  /** The events that subscribers and mounts got. */
  readonly events: () => Promise<readonly string[]>;
  /** Lets fake time pass: timers run when they are due, and time stands still while a request is answered. */
  readonly advance: (ms: number) => Promise<void>;
  /** As `advance`, but time goes on while requests run. */
  readonly runFor: (ms: number) => Promise<void>;
  /** Fake time goes on at once, and the timers that became due run late, once each. */
  readonly jump: (ms: number) => Promise<void>;
  readonly running: () => Promise<{ readonly timers: number; readonly listeners: number }>;
}

interface OpenOptions {
  /** Fakes timers and clocks, which start at this time. Time moves only when a test moves it. */
  readonly fakeTime?: number;
  /** `mute`: its requests are not seen. `none`: it is not on the page. */
  readonly component?: 'mute' | 'none';
}

export interface Lab {
  readonly pageUrl: string;
  /** What pages have sent to /report. */
  readonly reports: readonly string[];
  readonly open: (options?: OpenOptions) => Promise<Opened>;
  /** Closes what was opened since the last call, and forgets cookies. */
  readonly clean: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Lab</title><link rel="icon" href="data:,">
<script src="lab-page.js"></script>
<script type="module">import * as helper from './guest-token.js'; lab.helper = helper;</script>
<body><h1>Lab</h1></body></html>`;

/** The simulated component as a script, which reports another address, like the real one. */
const toComponent = (script: string): string =>
  `${script.slice(script.indexOf('class StandIn'))}
document.head.insertAdjacentHTML('beforeend', StandIn.styles);
if (customElements.get('dbn-dashboard') === undefined) defineComponent();`;

/** @param launch which browser; without the back/forward cache unless said otherwise */
export async function startLab(launch: () => Promise<Browser> = launchChromium): Promise<Lab> {
  const script = readFileSync(new URL('./lab-page.js', import.meta.url), 'utf8');
  const files = new Map<string, readonly [type: string, body: string]>([
    ['/', ['text/html', html]],
    [
      '/back',
      [
        'text/html',
        '<!doctype html><title>Back</title><script>onload = () => setTimeout(() => history.back(), 50)</script>',
      ],
    ],
    ['/report', ['text/plain', '']],
    ['/lab-page.js', ['text/javascript', script]],
    ['/guest-token.js', ['text/javascript', await buildBrowserHelper()]],
    ['/component.js', ['text/javascript', toComponent(script)]],
    ['/broken.js', ['text/javascript', 'export {};']],
  ]);
  const reports: string[] = [];
  const listener = createServer((request, response) => {
    if (request.method === 'POST') void text(request).then((report) => reports.push(report));
    const [type, body] = files.get((request.url ?? '').split('?')[0] ?? '') ?? [];
    response.writeHead(type === undefined ? 404 : 200, { 'content-type': type ?? 'text/plain' }).end(body);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const pageUrl = `http://localhost:${(listener.address() as AddressInfo).port}`;
  const browser = await launch();
  // One tab for all tests: a new document there costs a fifth of a new tab, and ends what ran in the last one.
  const context = await browser.newContext();
  const page = await context.newPage();
  const servers: TokenServer[] = [];

  return {
    pageUrl,
    reports,
    async open({ fakeTime, component } = {}) {
      const server = await startTokenServer();
      servers.push(server);
      const query = new URLSearchParams({
        server: server.url,
        ...(component && { component }),
        ...(fakeTime !== undefined && { time: String(fakeTime) }),
      });
      await page.goto(`${pageUrl}/?${query.toString()}`);
      const run = <T>(expression: string): Promise<T> => page.evaluate<T>(expression);
      return {
        page,
        context,
        server,
        run,
        shown: () =>
          run(`[...document.querySelectorAll('guest-token-anchor')].flatMap(({ children }) => [...children].map((child) =>
            child.contentDocument?.body.innerText ?? child.innerText))`),
        events: () => run('lab.events'),
        advance: (ms) => run(`lab.advance(${ms})`),
        runFor: (ms) => run(`lab.runFor(${ms})`),
        jump: (ms) => run(`lab.jump(${ms})`),
        running: () => run('lab.running()'),
      };
    },
    async clean() {
      const others = context.pages().filter((one) => one !== page);
      await Promise.all([...others, ...servers.splice(0)].map((one) => one.close()));
      await context.setOffline(false);
      await context.clearCookies();
    },
    async close() {
      await browser.close();
      listener.closeAllConnections();
      listener.close();
    },
  };
}
