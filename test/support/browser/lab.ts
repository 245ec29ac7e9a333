// The environment of the browser tests: a page with the helper on a separate origin, and Chromium.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { buildBrowserHelper } from '../../../build.ts';
import { launchChromium } from '../chromium.ts';
import { until } from '../until.ts';
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
  readonly told: () => Promise<readonly string[]>;
  /** Moves the fake clock in steps; requests are answered within their step. */
  readonly advance: (ms: number) => Promise<void>;
  readonly running: () => Promise<{ readonly timers: number; readonly listeners: number }>;
}

interface OpenOptions {
  /** Fakes timers and clocks, to be moved by `page.clock`, which start at this time. */
  readonly fakeTime?: number;
  /** `mute`: its requests are not seen. `none`: it is not on the page. */
  readonly component?: 'mute' | 'none';
}

export interface Lab {
  readonly pageUrl: string;
  /** What pages have sent to /report. */
  readonly reports: readonly string[];
  readonly open: (options?: OpenOptions) => Promise<Opened>;
  /** Closes what was opened since the last call. */
  readonly clean: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Lab</title><link rel="icon" href="data:,">
<script src="lab-page.js"></script>
<script type="module">import * as helper from './guest-token.js'; lab.helper = helper; lab.isReady = true;</script>
<body><h1>Lab</h1></body></html>`;

/** Shorter than the helper waits for an answer. */
const stepMs = 10_000;

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
  const opened: { readonly context: BrowserContext; readonly server: TokenServer }[] = [];

  return {
    pageUrl,
    reports,
    async open({ fakeTime, component } = {}) {
      const server = await startTokenServer();
      const context = await browser.newContext();
      opened.push({ context, server });
      const page = await context.newPage();
      if (fakeTime !== undefined) await page.clock.install({ time: fakeTime });
      const query = new URLSearchParams({ server: server.url, ...(component && { component }) });
      await page.goto(`${pageUrl}/?${query.toString()}`);
      await until(() => page.evaluate<boolean>('lab.isReady === true'));
      // From now on, time moves only when a test moves it.
      if (fakeTime !== undefined) await page.clock.pauseAt(fakeTime + 60_000);
      const run = <T>(expression: string): Promise<T> => page.evaluate<T>(expression);
      return {
        page,
        context,
        server,
        run,
        shown: () =>
          run(`[...document.querySelectorAll('guest-token-anchor')].flatMap(({ children }) => [...children].map((child) =>
            child.contentDocument?.body.innerText ?? child.innerText))`),
        told: () => run('lab.told'),
        advance: async (ms) => {
          for (let left = ms; left > 0; left -= stepMs) {
            await page.clock.runFor(Math.min(left, stepMs));
            await run('lab.settled()');
          }
        },
        running: () => run('lab.running()'),
      };
    },
    async clean() {
      await Promise.all(opened.splice(0).map(({ context, server }) => Promise.all([context.close(), server.close()])));
    },
    async close() {
      await browser.close();
      listener.closeAllConnections();
      listener.close();
    },
  };
}
