// <guest-token-dashboard> in a real browser, with a simulated vendor component.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab, type Opened } from '../../support/browser/lab.ts';
import { refusal } from '../../support/browser/token-server.ts';
import { chromiumReason, hasChromium } from '../../support/programs/chromium.ts';
import { until } from '../../support/until.ts';

const hour = 3_600_000;

describe.skipIf(!hasChromium)(`<guest-token-dashboard>${chromiumReason}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterEach(() => lab.clean());
  afterAll(() => lab.close());

  /** Adds HTML to the page; SRC is replaced by the proxy's address and the function. */
  const write = ({ run, server }: Opened, html: string): Promise<unknown> => {
    const source = `src="${server.url}/guest-token" get-access-token="token"`;
    return run(
      `window.token ??= lab.getAccessToken, document.body.insertAdjacentHTML('beforeend', \`${html.replaceAll('SRC', source)}\`)`,
    );
  };
  const isShown = async ({ shown }: Opened, ...expected: readonly string[]): Promise<void> => {
    await until(async () => (await shown()).join('|') === expected.join('|')).catch(() => undefined);
    expect(await shown()).toEqual(expected);
  };
  const leavesNothing = async ({ run, running }: Opened): Promise<void> => {
    await run(`document.querySelectorAll('guest-token-dashboard').forEach((element) => element.remove())`);
    expect(await running()).toEqual({ timers: 0, listeners: 0 });
  };

  it('shows dashboards and metrics in HTML, with one request for all with the same settings', async () => {
    const opened = await lab.open();
    await write(
      opened,
      `<guest-token-dashboard SRC dashboard-id="A"></guest-token-dashboard>
      <guest-token-dashboard SRC dashboard-id="B"></guest-token-dashboard>
      <guest-token-dashboard SRC metric-id="M"></guest-token-dashboard>`,
    );
    await isShown(opened, 'A: token-1-ann', 'B: token-1-ann', 'M: token-1-ann');
    expect(opened.server.requests).toHaveLength(1);
    await leavesNothing(opened);
  });

  it('sends separate requests for other data apps and other functions', async () => {
    const opened = await lab.open();
    await opened.run(`window.bob = () => 'jwt-of-bob-1', 0`);
    await write(
      opened,
      `<guest-token-dashboard SRC data-app="x" dashboard-id="A" script="/component.js"></guest-token-dashboard>
      <guest-token-dashboard src="${opened.server.url}/guest-token" get-access-token="bob" dashboard-id="B" script="/component.js"></guest-token-dashboard>`,
    );
    await until(async () => (await opened.shown()).filter((text) => /: token-\d-(ann|bob)/.test(text)).length === 2);
    expect(opened.server.requests.map(({ authorization, body }) => [authorization, body]).sort()).toEqual([
      ['Bearer jwt-of-ann-1', '{"dataApp":"x"}'],
      ['Bearer jwt-of-bob-1', ''],
    ]);
    await leavesNothing(opened);
  });

  it('passes attributes that HTML does not define on to the vendor’s element, and no others', async () => {
    const opened = await lab.open();
    await write(
      opened,
      `<guest-token-dashboard SRC id="one" class="wide" title="Sales" style="color: red" dashboard-id="A"
      theme="t" options="o" chart-colors="c"></guest-token-dashboard>`,
    );
    await isShown(opened, 'A: token-1-ann');
    const names = `document.querySelector('dbn-dashboard').getAttributeNames().filter((name) => name !== 'handle-server-event')`;
    expect((await opened.run<string[]>(names)).sort()).toEqual([
      'chart-colors',
      'dashboard-id',
      'options',
      'theme',
      'token',
    ]);
    await leavesNothing(opened);
  });

  it('uses its new attributes', async () => {
    const opened = await lab.open();
    await write(opened, `<guest-token-dashboard SRC id="one" dashboard-id="A"></guest-token-dashboard>`);
    await isShown(opened, 'A: token-1-ann');
    const set = (name: string, value: string): Promise<unknown> =>
      opened.run(`document.getElementById('one').setAttribute('${name}', '${value}')`);
    await set('dashboard-id', 'B');
    await isShown(opened, 'B: token-1-ann');
    await opened.run(`lab.element = document.querySelector('dbn-dashboard'), 0`);
    await set('theme', 'dark');
    expect(
      await opened.run(`document.querySelector('dbn-dashboard') === lab.element && lab.element.getAttribute('theme')`),
    ).toBe('dark');
    await set('metric-id', 'M');
    await isShown(opened, 'M: token-1-ann');
    expect(opened.server.requests).toHaveLength(1);
    await set('script', '/component.js');
    await set('data-app', 'other');
    await isShown(opened, 'M: token-2-ann');
    await opened.run(`document.getElementById('one').removeAttribute('src')`);
    expect(await opened.shown()).toEqual([]);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
    await leavesNothing(opened);
  });

  it('sends the events ready, renewed and error', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(refusal(503, 'UPSTREAM_UNAVAILABLE'));
    await opened.run(`for (const type of ['ready', 'renewed', 'error']) document.addEventListener(type, ({ detail }) =>
      lab.events.push(type + (detail ? ' ' + [detail.code, detail.requestId, detail.terminal].join() : '')), true), 0`);
    await write(opened, `<guest-token-dashboard SRC dashboard-id="A"></guest-token-dashboard>`);
    await until(async () => (await opened.events()).length === 1);
    await opened.advance(1_500);
    await isShown(opened, 'A: token-2-ann');
    await opened.runFor(0.74 * hour);
    await opened.advance(0.12 * hour);
    await until(async () => (await opened.events()).length === 3);
    opened.server.script(refusal(403, 'ACCESS_DENIED'));
    // The second renewal is due between 1.5 and 1.7 hours after the start.
    await opened.runFor(0.6 * hour);
    await opened.advance(0.26 * hour);
    await isShown(opened, 'The sentence of ACCESS_DENIED. (request-1)');
    expect(await opened.events()).toEqual([
      'error UPSTREAM_UNAVAILABLE,request-1,false',
      'ready',
      'renewed',
      'error ACCESS_DENIED,request-1,true',
    ]);
    expect(opened.server.requests).toHaveLength(4);
    await leavesNothing(opened);
  });

  it('sends cookies only with credentials, and no request without a credential source', async () => {
    const opened = await lab.open();
    await opened.context.addCookies([{ name: 'session', value: 'ann', url: opened.server.url }]);
    const src = `src="${opened.server.url}/guest-token"`;
    await write(
      opened,
      `<guest-token-dashboard ${src} dashboard-id="A"></guest-token-dashboard>
      <guest-token-dashboard get-access-token="token" dashboard-id="A"></guest-token-dashboard>
      <guest-token-dashboard SRC></guest-token-dashboard>`,
    );
    await opened.run('lab.settled()');
    expect(opened.server.requests).toHaveLength(0);
    await write(
      opened,
      `<guest-token-dashboard ${src} credentials="include" dashboard-id="B"></guest-token-dashboard>`,
    );
    await isShown(opened, 'B: token-1-');
    expect(opened.server.requests).toMatchObject([{ authorization: undefined, cookie: 'session=ann' }]);
    await leavesNothing(opened);
  });

  it('does not use cookies if the named function does not exist', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.run(`document.addEventListener('error', ({ detail }) => lab.events.push(detail.code), true), 0`);
    await write(
      opened,
      `<guest-token-dashboard SRC dashboard-id="A"></guest-token-dashboard>`.replaceAll(
        'SRC',
        `src="${opened.server.url}/guest-token" get-access-token="later"`,
      ),
    );
    await until(async () => (await opened.events()).length === 1);
    expect(await opened.events()).toEqual(['ACCESS_TOKEN_UNAVAILABLE']);
    expect(opened.server.requests).toHaveLength(0);
    await opened.run('window.later = lab.getAccessToken, 0');
    await opened.advance(1_500);
    await isShown(opened, 'A: token-1-ann');
    await leavesNothing(opened);
  });

  it('ends its session when the last one is removed, and the next one starts a new session', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    const html = `<guest-token-dashboard SRC dashboard-id="A"></guest-token-dashboard>`;
    await write(opened, html + html);
    await isShown(opened, 'A: token-1-ann', 'A: token-1-ann');
    await opened.run(`document.querySelector('guest-token-dashboard').remove()`);
    await isShown(opened, 'A: token-1-ann');
    expect((await opened.running()).listeners).toBe(3);
    await leavesNothing(opened);
    await opened.runFor(9 * hour);
    expect(opened.server.requests).toHaveLength(1);
    await write(opened, html);
    await isShown(opened, 'A: token-2-ann');
    await leavesNothing(opened);
  });

  it('works if it was in the page before the helper was loaded', async () => {
    const opened = await lab.open();
    const source = `src="${opened.server.url}/guest-token" get-access-token="token" dashboard-id="A"`;
    await opened.page
      .setContent(`<script src="${lab.pageUrl}/lab-page.js"></script><script>window.token = () => 'jwt-of-ann-1'; lab.server = '${opened.server.url}'</script>
      <guest-token-dashboard ${source}></guest-token-dashboard><script type="module" src="${lab.pageUrl}/guest-token.js"></script>`);
    await until(async () => opened.server.requests.length === 1);
    await until(async () => opened.server.componentTokens.length === 1);
    await leavesNothing(opened);
  });
});
