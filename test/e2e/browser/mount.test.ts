// `mount` in a real browser, with a simulated vendor component: what is on the screen, which token its requests have,
// and that nothing remains.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab, type Opened } from '../../support/browser/lab.ts';
import { refusal } from '../../support/browser/token-server.ts';
import { chromiumReason, hasChromium } from '../../support/programs/chromium.ts';
import { until } from '../../support/until.ts';
import { pageTexts } from '../../support/sentences/page-texts.ts';

const minute = 60_000;
const hour = 60 * minute;

describe.skipIf(!hasChromium)(`a mounted dashboard${chromiumReason}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterEach(() => lab.clean());
  afterAll(() => lab.close());

  const show = ({ run }: Opened, options = '{}'): Promise<unknown> =>
    run(`lab.tokens ??= lab.create(), lab.a = lab.mount('a', { tokens: lab.tokens, embedId: 'A', ...${options} }), 0`);
  const isShown = async ({ shown }: Opened, ...expected: readonly string[]): Promise<void> => {
    await until(async () => (await shown()).join('|') === expected.join('|')).catch(() => undefined);
    expect(await shown()).toEqual(expected);
  };
  const leavesNothing = async ({ run, running }: Opened): Promise<void> => {
    await run('lab.a.stop(), lab.tokens.stop()');
    expect(await run(`document.querySelectorAll('guest-token-anchor').length`)).toBe(0);
    expect(await running()).toEqual({ timers: 0, listeners: 0 });
    expect(await run(`Object.keys(window).filter((name) => name.startsWith('guestTokenEvent'))`)).toEqual([]);
  };
  /** Advances to the next token, which arrives at least 45 minutes after the last one. */
  const renew = async (opened: Opened): Promise<void> => {
    const { length } = opened.server.requests;
    await opened.run('lab.settled()');
    await opened.runFor(43 * minute);
    expect(opened.server.requests).toHaveLength(length);
    for (let left = 60; left > 0 && opened.server.requests.length === length; left -= 1) await opened.advance(minute);
    expect(opened.server.requests).toHaveLength(length + 1);
  };

  it('shows A, then B, then A: always the last requested one, with one request for all', async () => {
    const opened = await lab.open();
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.a.update({ embedId: 'B' })`);
    await isShown(opened, 'B: token-1-ann');
    await opened.run(`lab.a.update({ embedId: 'C' }), lab.a.update({ embedId: 'A' })`);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.a.update({ embedId: 'A' })`);
    expect(await opened.events()).toEqual(['a ready', 'a ready', 'a ready']);
    expect(opened.server.requests).toHaveLength(1);
    await leavesNothing(opened);
  });

  it('shows a metric', async () => {
    const opened = await lab.open();
    await show(opened, `{ kind: 'metric', embedId: 'M', attributes: { theme: '{}' } }`);
    await isShown(opened, 'M: token-1-ann');
    expect(await opened.run(`document.querySelector('dbn-metric').getAttribute('theme')`)).toBe('{}');
    await leavesNothing(opened);
  });

  it('is the only one in its parent, and does not change the other children', async () => {
    const opened = await lab.open();
    await opened.run(`lab.place('a').append('Loading …')`);
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.a.update({ embedId: 'B' })`);
    await opened.run(`lab.first = lab.a, 0`);
    await show(opened, `{ embedId: 'D' }`);
    await opened.run(`lab.first.update({ embedId: 'E' }), lab.first.stop()`);
    await isShown(opened, 'D: token-1-ann');
    expect(await opened.run(`document.getElementById('a').innerText`)).toContain('Loading …');
    expect(opened.server.requests).toHaveLength(1);
    await leavesNothing(opened);
  });

  it('keeps its view when the token is renewed, and its next request contains the newest token', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.element = document.querySelector('dbn-dashboard'), 0`);
    await renew(opened);
    await renew(opened);
    await opened.advance(10 * minute);
    expect(await opened.run(`document.querySelector('dbn-dashboard') === lab.element`)).toBe(true);
    await opened.run('lab.element.send()');
    await isShown(opened, 'A: token-3-ann');
    expect(await opened.events()).toEqual(['a ready', 'a renewed', 'a renewed']);
    expect(opened.server.componentTokens).toEqual(['token-1-ann', 'token-3-ann']);
    await leavesNothing(opened);
  });

  it('makes a request of the component wait for a new token if the old one has expired', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.sleep(${2 * hour})`);
    await opened.run(`document.querySelector('dbn-dashboard').send()`);
    await isShown(opened, 'A: token-2-ann');
    expect(opened.server.componentTokens).toEqual(['token-1-ann', 'token-2-ann']);
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it.each([
    ['a Headers object', `fetch(url, { headers: new Headers({ 'x-plugin-token': token }) })`],
    ['a list', `fetch(url, { headers: [['X-PLUGIN-TOKEN', token]] })`],
    ['a Request', `fetch(new Request(url, { headers: { 'x-plugin-token': token } }))`],
    [
      'a Request with a body',
      `fetch(new Request(url, { method: 'POST', body: '{}', headers: { 'x-plugin-token': token } }))`,
    ],
  ])('replaces an old token with the newest one in %s', async (_title, call) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await renew(opened);
    const response = `((url, token) => ${call})(lab.server + '/api/v2/dashboard', 'token-1-ann').then((got) => got.json())`;
    expect(await opened.run(response)).toEqual({ token: 'token-2-ann' });
    await leavesNothing(opened);
  });

  it('changes no other request of the page', async () => {
    const opened = await lab.open();
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    const request = (headers: string): Promise<unknown> =>
      opened.run(`fetch(lab.server + '/api', { headers: ${headers} }).then((got) => got.json())`);
    expect(await request(`{ 'x-plugin-token': 'of-another-app' }`)).toEqual({ token: 'of-another-app' });
    expect(await request('{}')).toEqual({ token: '' });
    expect(await opened.run(`fetch('http://[').catch(({ name }) => name)`)).toBe('TypeError');
    await leavesNothing(opened);
  });

  it('is replaced just before its token expires if the component does not use fetch', async () => {
    const opened = await lab.open({ fakeTime: Date.now(), component: 'mute' });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await renew(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.element = document.querySelector('dbn-dashboard'), 0`);
    await opened.advance(8 * minute);
    expect(await opened.run(`document.querySelector('dbn-dashboard') === lab.element`)).toBe(true);
    await opened.advance(8 * minute);
    await isShown(opened, 'A: token-2-ann');
    expect(await opened.events()).toEqual(['a ready', 'a renewed']);
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('is replaced with a new token when the component reports that its token has expired', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.run(`window.mine = (event) => lab.events.push('own ' + event.type), 0`);
    await show(opened, `{ attributes: { 'handle-server-event': 'mine' } }`);
    await isShown(opened, 'A: token-1-ann');
    const send = (type: string): Promise<unknown> =>
      opened.run(
        `window[document.querySelector('dbn-dashboard').getAttribute('handle-server-event')]({ type: '${type}' })`,
      );
    await send('FILTER_CHANGED');
    await send('TOKEN_EXPIRED');
    await send('TOKEN_EXPIRED');
    await opened.advance(11_000);
    await opened.advance(1_000);
    await isShown(opened, 'A: token-2-ann');
    expect(await opened.events()).toEqual([
      'a ready',
      'own FILTER_CHANGED',
      'own TOKEN_EXPIRED',
      'own TOKEN_EXPIRED',
      'a renewed',
    ]);
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('ends when its parent is removed from the page, and starts again when it is added', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.parent = document.getElementById('a'), lab.parent.remove(), 0`);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
    await opened.runFor(9 * hour);
    expect(opened.server.requests).toHaveLength(1);
    expect(await opened.run('lab.parent.innerText')).toBe('');
    await opened.run(`document.body.append(lab.parent)`);
    await isShown(opened, 'A: token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it.each([
    [
      'in a shadow tree',
      `lab.place('host').attachShadow({ mode: 'open' }).append(lab.parent)`,
      `document.getElementById('host').remove()`,
    ],
    ['emptied by a framework', 'document.body.append(lab.parent)', `lab.parent.innerHTML = ''`],
  ])('ends with a parent that is %s', async (_title, place, remove) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.run(`lab.parent = document.createElement('div'), ${place}, lab.tokens = lab.create(), 0`);
    await opened.run(
      `lab.a = lab.helper.mount(lab.parent, { tokens: lab.tokens, embedId: 'A', onReady: () => lab.events.push('ready') }), 0`,
    );
    await until(async () => (await opened.events()).length === 1);
    await opened.run(`${remove}, 0`);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
    await opened.runFor(9 * hour);
    expect(opened.server.requests).toHaveLength(1);
  });

  it('keeps its token when it is moved: the view is created again, without another request', async () => {
    const opened = await lab.open();
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(`lab.place('elsewhere').append(document.getElementById('a'))`);
    await isShown(opened, 'A: token-1-ann');
    expect(opened.server.requests).toHaveLength(1);
    await leavesNothing(opened);
  });

  it('sends no request while its parent is not in the page', async () => {
    const opened = await lab.open();
    await opened.run(`lab.parent = document.createElement('div'), lab.tokens = lab.create(), 0`);
    await opened.run(`lab.a = lab.helper.mount(lab.parent, { tokens: lab.tokens, embedId: 'A' }), 0`);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
    expect(opened.server.requests).toHaveLength(0);
    await opened.run(`document.body.append(lab.parent)`);
    await isShown(opened, 'A: token-1-ann');
    await leavesNothing(opened);
  });

  it('accepts other attributes without a new element', async () => {
    const opened = await lab.open();
    await show(opened, `{ attributes: { theme: 'a', options: 'b' } }`);
    await isShown(opened, 'A: token-1-ann');
    await opened.run(
      `lab.element = document.querySelector('dbn-dashboard'), lab.a.update({ attributes: { theme: 'c' } })`,
    );
    expect(await opened.run(`document.querySelector('dbn-dashboard') === lab.element`)).toBe(true);
    expect(await opened.run(`[lab.element.getAttribute('theme'), lab.element.hasAttribute('options')]`)).toEqual([
      'c',
      false,
    ]);
    await leavesNothing(opened);
  });

  it.each([
    ['a refusal', refusal(403, 'ACCESS_DENIED'), 'ACCESS_DENIED'],
    ['a second 401', refusal(401, 'TOKEN_EXPIRED'), 'TOKEN_EXPIRED'],
  ])(
    'removes the dashboard after %s at a renewal, and shows the message of the proxy',
    async (_title, response, code) => {
      const opened = await lab.open({ fakeTime: Date.now() });
      await show(opened);
      await isShown(opened, 'A: token-1-ann');
      opened.server.script(response, response);
      await opened.runFor(0.74 * hour);
      await opened.advance(0.12 * hour);
      await isShown(opened, `The sentence of ${code}. (request-1)`);
      expect(await opened.run(`document.querySelector('.guest-token-error').getAttribute('role')`)).toBe('alert');
      expect(await opened.events()).toEqual(['a ready', `a ${code}!`]);
      expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
      await leavesNothing(opened);
    },
  );

  it('keeps the dashboard while renewals fail temporarily', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await show(opened);
    await isShown(opened, 'A: token-1-ann');
    opened.server.script(refusal(503, 'UPSTREAM_UNAVAILABLE'), { status: 502, body: '<html>' });
    await opened.runFor(0.74 * hour);
    await opened.advance(0.13 * hour);
    await isShown(opened, 'A: token-1-ann');
    expect(await opened.events()).toEqual(['a ready', 'a UPSTREAM_UNAVAILABLE', 'a INVALID_RESPONSE', 'a renewed']);
    await leavesNothing(opened);
  });

  describe('when the user changes', () => {
    /** Records everything that appears on the screen. */
    const watch = ({ run }: Opened): Promise<unknown> =>
      run(`lab.seen = [], new MutationObserver(() => lab.seen.push(document.body.innerText)).observe(document.body,
        { subtree: true, childList: true, characterData: true }), 0`);

    it('removes the old view at once and shows the new one in a frame, without a request of the old user', async () => {
      const opened = await lab.open();
      await show(opened, `{ script: '/component.js' }`);
      await isShown(opened, 'A: token-1-ann');
      await opened.run(`lab.old = document.querySelector('dbn-dashboard'), 0`);
      await watch(opened);
      await opened.run(
        `lab.user = 'bob', lab.tokens.stop(), lab.tokens = lab.create(), lab.a.update({ tokens: lab.tokens }), 0`,
      );
      expect(await opened.run(`document.querySelector('dbn-dashboard')`)).toBe(null);
      // Later requests of the removed component are not sent.
      expect(await opened.run('lab.old.send().catch((error) => error.errors[0].code)')).toBe('STOPPED');
      await isShown(opened, 'A: token-2-bob');
      expect(await opened.run(`document.querySelector('iframe').contentWindow.location.host === location.host`)).toBe(
        true,
      );
      expect(opened.server.componentTokens).toEqual(['token-1-ann', 'token-2-bob']);
      expect(opened.server.requests).toHaveLength(2);
      expect(JSON.stringify(await opened.run('lab.seen'))).not.toContain('ann');
      await leavesNothing(opened);
    });

    it('does the same if only the response shows it, as after another login with a shared cookie', async () => {
      const opened = await lab.open({ fakeTime: Date.now() });
      await show(opened, `{ script: '/component.js' }`);
      await isShown(opened, 'A: token-1-ann');
      await opened.run(`lab.user = 'bob', lab.old = document.querySelector('dbn-dashboard'), 0`);
      await renew(opened);
      await isShown(opened, 'A: token-2-bob');
      expect(await opened.run('lab.old.send().catch((error) => error.errors[0].code)')).toBe('STOPPED');
      expect(opened.server.componentTokens).toEqual(['token-1-ann', 'token-2-bob']);
      await leavesNothing(opened);
    });

    it('shows no data of the next user, but an error, if the component cannot be loaded again', async () => {
      const opened = await lab.open();
      await show(opened);
      await isShown(opened, 'A: token-1-ann');
      await opened.run(
        `lab.user = 'bob', lab.tokens.stop(), lab.tokens = lab.create(), lab.a.update({ tokens: lab.tokens }), 0`,
      );
      await isShown(opened, pageTexts.reloadPage);
      expect((await opened.events()).at(-1)).toBe('a COMPONENT_IN_USE!');
      expect(opened.server.componentTokens).toEqual(['token-1-ann']);
      await leavesNothing(opened);
    });

    it('shows the first user again without a frame', async () => {
      const opened = await lab.open();
      await show(opened, `{ script: '/component.js' }`);
      await isShown(opened, 'A: token-1-ann');
      for (const [user, frames] of [
        ['bob', 1],
        ['ann', 0],
      ] as const) {
        await opened.run(
          `lab.user = '${user}', lab.tokens.stop(), lab.tokens = lab.create(), lab.a.update({ tokens: lab.tokens }), 0`,
        );
        await until(async () => (await opened.shown()).some((text) => text.includes(user)));
        expect(await opened.run(`document.querySelectorAll('iframe').length`)).toBe(frames);
      }
      await isShown(opened, 'A: token-3-ann');
      await leavesNothing(opened);
    });

    it('has a frame as high as the page for a dashboard, and as high as its content for a metric', async () => {
      const opened = await lab.open();
      await show(opened, `{ script: '/component.js' }`);
      await isShown(opened, 'A: token-1-ann');
      await opened.run(
        `lab.user = 'bob', lab.tokens.stop(), lab.tokens = lab.create(), lab.a.update({ tokens: lab.tokens }), 0`,
      );
      await isShown(opened, 'A: token-2-bob');
      expect(await opened.run(`document.querySelector('iframe').clientHeight === innerHeight`)).toBe(true);
      await opened.run(`lab.a.update({ kind: 'metric', embedId: 'M' })`);
      await isShown(opened, 'M: token-2-bob');
      await opened.run(
        `document.querySelector('iframe').contentDocument.querySelector('dbn-metric').style = 'display:block;height:777px'`,
      );
      await until(() => opened.run<boolean>(`document.querySelector('iframe').clientHeight === 777`));
      await leavesNothing(opened);
    });

    it('uses one page for a user whose tokens come from several sessions', async () => {
      const opened = await lab.open();
      await show(opened);
      await opened.run(`lab.b = lab.mount('b', { tokens: lab.create(), embedId: 'B' }), 0`);
      await until(async () => (await opened.events()).length === 2);
      await opened.run('lab.tokens.stop()');
      await opened.run(`document.querySelector('dbn-dashboard').send()`);
      await until(() => opened.server.componentTokens.length === 3);
      expect(await opened.run(`document.querySelectorAll('iframe').length`)).toBe(0);
      await opened.run('lab.b.stop()');
      expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
    });
  });

  describe('with the component loaded by the helper', () => {
    it('loads it once for all, with its attributes', async () => {
      const opened = await lab.open({ component: 'none' });
      await opened.run(`lab.tokens = lab.create(), ['a', 'b', 'c'].map((id) =>
        lab.mount(id, { tokens: lab.tokens, embedId: id, script: { src: './component.js', nonce: 'n' } })), 0`);
      await isShown(opened, 'a: token-1-ann', 'b: token-1-ann', 'c: token-1-ann');
      expect(await opened.run(`document.querySelectorAll('script[src*=component]').length`)).toBe(1);
      expect(
        await opened.run(`[process.env.NODE_ENV, document.querySelector('script[src*=component]').nonce]`),
      ).toEqual(['production', 'n']);
      expect(opened.server.requests).toHaveLength(1);
    });

    it.each(['/broken.js', '/nowhere.js', 'http://['])('reports a failure: %s', async (script) => {
      const opened = await lab.open({ component: 'none' });
      await show(opened, `{ script: '${script}' }`);
      await isShown(opened, pageTexts.componentNotLoaded);
      expect(await opened.events()).toEqual(['a COMPONENT_NOT_LOADED!']);
      expect(opened.server.componentTokens).toEqual([]);
      await leavesNothing(opened);
    });

    it('removes its style sheet from the page, except its fonts', async () => {
      const opened = await lab.open({ component: 'none' });
      await opened.run(`lab.size = getComputedStyle(document.querySelector('h1')).fontSize`);
      await show(opened, `{ script: '/component.js?styles' }`);
      await isShown(opened, 'A: token-1-ann');
      expect(await opened.run(`getComputedStyle(document.querySelector('h1')).fontSize === lab.size`)).toBe(true);
      expect(await opened.run(`document.querySelector('#dbn-styles').innerHTML`)).toContain('h1 {');
      expect(
        await opened.run(`[...document.querySelector('#dbn-styles').sheet.cssRules].map(({ type }) => type)`),
      ).toEqual([5]);
      await leavesNothing(opened);
    });

    it('waits for an app that loads it itself, and shows only the last requested embed', async () => {
      const opened = await lab.open({ component: 'none' });
      await show(opened);
      await until(() => opened.server.requests.length === 1);
      await opened.run(`lab.a.update({ embedId: 'B' }), lab.a.update({ embedId: 'C' }), defineComponent()`);
      await isShown(opened, 'C: token-1-ann');
      expect(opened.server.componentTokens).toHaveLength(1);
      await leavesNothing(opened);
    });

    it('shows nothing if it was stopped while the component was loading', async () => {
      const opened = await lab.open({ component: 'none' });
      await show(opened);
      await until(() => opened.server.requests.length === 1);
      await opened.run('lab.a.stop(), defineComponent()');
      await opened.run('lab.settled()');
      expect(await opened.shown()).toEqual([]);
      expect(opened.server.componentTokens).toEqual([]);
    });
  });
});
