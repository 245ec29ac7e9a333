// createGuestTokens in a real browser: its requests, their times, and that nothing remains running.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab, type Opened } from '../../support/browser/lab.ts';
import { refusal, type ScriptedResponse } from '../../support/browser/token-server.ts';
import {
  chromiumReason,
  hasChromium,
  hasWholeChromium,
  launchWholeChromium,
  wholeChromiumReason,
} from '../../support/programs/chromium.ts';
import { until } from '../../support/until.ts';

const minute = 60_000;
const hour = 60 * minute;

describe.skipIf(!hasChromium)(`the tokens of a page${chromiumReason}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterEach(() => lab.clean());
  afterAll(() => lab.close());

  const subscribe = ({ run }: Opened, options = '{}'): Promise<unknown> =>
    run(`lab.tokens = lab.create(${options}), lab.leave = lab.tokens.subscribe(lab.note), 0`);
  const receives = async ({ events }: Opened, ...expected: readonly string[]): Promise<void> => {
    await until(async () => (await events()).length >= expected.length);
    expect(await events()).toEqual(expected);
  };
  /** Without subscribers nothing runs. */
  const leavesNothing = async ({ run, running }: Opened): Promise<void> => {
    await run('lab.leave()');
    expect(await running()).toEqual({ timers: 0, listeners: 0 });
  };
  /** The session has ended: nothing runs, and no request is sent. */
  const hasEnded = async ({ server, running, runFor }: Opened): Promise<void> => {
    expect(await running()).toEqual({ timers: 0, listeners: 0 });
    const { length } = server.requests;
    await runFor(3 * hour);
    expect(server.requests).toHaveLength(length);
  };

  it('are one token and one request for fifty embeds that start together', async () => {
    const opened = await lab.open();
    await opened.run(`lab.tokens = lab.create({ dataApp: 'sales' });
      for (let n = 0; n < 50; n += 1) lab.mount('board' + n, { tokens: lab.tokens, embedId: 'board' + n })`);
    await until(async () => (await opened.shown()).filter((text) => text.includes('token-1-ann')).length === 50);
    expect(opened.server.requests).toMatchObject([
      { authorization: 'Bearer jwt-of-ann-1', body: '{"dataApp":"sales"}' },
    ]);
    expect(new Set(opened.server.componentTokens)).toEqual(new Set(['token-1-ann']));
    await opened.run('lab.tokens.stop()');
    expect(await opened.shown()).toEqual([]);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
  });

  it('are renewed between 75 and 85 percent of their lifetime, with a new access token, at any time of day', async () => {
    const opened = await lab.open({ fakeTime: Date.now() - hour });
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    await opened.runFor(0.74 * hour);
    expect(opened.server.requests).toHaveLength(1);
    await opened.advance(0.12 * hour);
    await receives(opened, 'token-1-ann', 'token-2-ann');
    expect(opened.server.requests.map(({ authorization }) => authorization)).toEqual([
      'Bearer jwt-of-ann-1',
      'Bearer jwt-of-ann-2',
    ]);
    expect(await opened.run('lab.fresh')).toEqual([false, true]);
    await leavesNothing(opened);
  });

  it('wait while the browser is offline, and are renewed when it is online again', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    await opened.context.setOffline(true);
    await opened.runFor(hour);
    await receives(opened, 'token-1-ann', 'NETWORK_ERROR');
    await opened.runFor(8 * hour);
    await receives(opened, 'token-1-ann', 'NETWORK_ERROR');
    expect(opened.server.requests).toHaveLength(1);
    await opened.context.setOffline(false);
    await receives(opened, 'token-1-ann', 'NETWORK_ERROR', 'token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('are renewed after the machine has slept, with and without a visible page', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    await opened.run(
      `lab.sleep(${2 * hour}), document.dispatchEvent(new Event('visibilitychange', { bubbles: true })), 0`,
    );
    await receives(opened, 'token-1-ann', 'token-2-ann');
    await opened.run(`lab.sleep(${2 * hour})`);
    await opened.runFor(31_000);
    await receives(opened, 'token-1-ann', 'token-2-ann', 'token-3-ann');
    expect(opened.server.requests).toHaveLength(3);
    await leavesNothing(opened);
  });

  it('are not requested in a hidden tab, but once after it becomes visible; get() still works', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.run('lab.hide(true)');
    await subscribe(opened);
    await opened.runFor(hour);
    expect(opened.server.requests).toHaveLength(0);
    await opened.run('lab.hide(false)');
    await receives(opened, 'token-1-ann');
    await opened.run('lab.hide(true)');
    await opened.runFor(9 * hour);
    expect(opened.server.requests).toHaveLength(1);
    expect(await opened.run('lab.tokens.get()')).toBe('token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('are requested once in each of two tabs, but not in a hidden one', async () => {
    const opened = await lab.open();
    const second = await opened.context.newPage();
    await second.goto(opened.page.url());
    await second.evaluate('lab.hide(true), lab.create().subscribe(lab.note), 0');
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    expect(await second.evaluate('lab.events')).toEqual([]);
    await second.evaluate('lab.hide(false)');
    await until(async () => (await second.evaluate<string[]>('lab.events')).length === 1);
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it.each(['TOKEN_EXPIRED', 'INVALID_TOKEN'])('are requested with a new access token after one %s', async (code) => {
    const opened = await lab.open();
    opened.server.script(refusal(401, code));
    await subscribe(opened);
    await receives(opened, 'token-2-ann');
    expect(await opened.run('lab.fresh')).toEqual([false, true]);
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('end after a second 401 in a row', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(refusal(401, 'TOKEN_EXPIRED'), refusal(401, 'TOKEN_EXPIRED'));
    await subscribe(opened);
    await receives(opened, 'TOKEN_EXPIRED!');
    expect(opened.server.requests).toHaveLength(2);
    await hasEnded(opened);
  });

  it.each([
    [403, 'ACCESS_DENIED'],
    [403, 'DATA_APP_NOT_ALLOWED'],
    [400, 'INVALID_REQUEST'],
    [413, 'BODY_TOO_LARGE'],
  ])('end at a %i %s, with the message and the request id of the proxy', async (status, code) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(refusal(status, code));
    await subscribe(opened);
    await receives(opened, `${code}!`);
    expect(await opened.run('lab.tokens.get().catch((error) => ({ ...error, message: error.message }))')).toMatchObject(
      {
        name: 'GuestTokenError',
        code,
        terminal: true,
        requestId: 'request-1',
        message: `The sentence of ${code}.`,
      },
    );
    expect(opened.server.requests).toHaveLength(1);
    await hasEnded(opened);
  });

  it.each([
    [429, 'RATE_LIMITED'],
    [503, 'UPSTREAM_UNAVAILABLE'],
  ])('wait after a %i %s for the time in Retry-After', async (status, code) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(refusal(status, code, { 'retry-after': '40' }));
    await subscribe(opened);
    await receives(opened, code);
    await opened.runFor(39_000);
    expect(opened.server.requests).toHaveLength(1);
    await opened.runFor(2_000);
    await receives(opened, code, 'token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  const html = '<!doctype html><title>502 Bad Gateway</title>';
  it.each<readonly [string, string, ScriptedResponse]>([
    ['an HTML 502', 'INVALID_RESPONSE', { status: 502, headers: { 'content-type': 'text/html' }, body: html }],
    [
      'an HTML 403 of a gateway',
      'INVALID_RESPONSE',
      { status: 403, headers: { 'content-type': 'text/html' }, body: html },
    ],
    ['a login page', 'INVALID_RESPONSE', { status: 200, headers: { 'content-type': 'text/html' }, body: html }],
    ['a redirect', 'NETWORK_ERROR', { status: 302, headers: { location: '/login' } }],
    ['JSON without a token', 'INVALID_RESPONSE', { body: { token: 5 } }],
    ['a list', 'INVALID_RESPONSE', { body: [] }],
    ['a 500', 'INTERNAL_ERROR', refusal(500, 'INTERNAL_ERROR')],
    ['a 504', 'UPSTREAM_TIMEOUT', refusal(504, 'UPSTREAM_TIMEOUT')],
    [
      'a Retry-After that is a date',
      'RATE_LIMITED',
      refusal(429, 'RATE_LIMITED', { 'retry-after': 'Fri, 31 Dec 2100 23:59:59 GMT' }),
    ],
  ])('are requested again within seconds after %s', async (_title, code, response) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(response);
    await subscribe(opened);
    await receives(opened, code);
    await opened.runFor(1_500);
    await receives(opened, code, 'token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('are requested again after a connection is lost', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    // The browser repeats a request itself if its kept connection was closed.
    opened.server.script({ isCut: true }, { isCut: true });
    await subscribe(opened);
    await receives(opened, 'NETWORK_ERROR');
    await opened.runFor(1_500);
    await receives(opened, 'NETWORK_ERROR', 'token-3-ann');
    await leavesNothing(opened);
  });

  it('are requested less often while the proxy fails, and the access token is not fetched each time', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(...Array.from({ length: 100 }, () => refusal(503, 'UPSTREAM_UNAVAILABLE')));
    await subscribe(opened);
    await opened.advance(10 * minute);
    expect(opened.server.requests.length).toBeGreaterThanOrEqual(12);
    expect(opened.server.requests.length).toBeLessThanOrEqual(26);
    expect(await opened.run('lab.fresh.includes(true)')).toBe(false);
    await leavesNothing(opened);
  });

  it.each([
    ['is missing', {}],
    ['has no digits', { 'guest-token-expires-in': 'soon' }],
    ['is negative', { 'guest-token-expires-in': '-5' }],
    ['is zero', { 'guest-token-expires-in': '0' }],
    ['is much too large', { 'guest-token-expires-in': '1e99' }],
  ])('are renewed after 90 to 102 seconds if the header with the lifetime %s', async (_title, headers) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script({ body: { token: 'lasting' }, headers });
    await subscribe(opened);
    await receives(opened, 'lasting');
    await opened.runFor(89_000);
    expect(opened.server.requests).toHaveLength(1);
    await opened.runFor(14_000);
    await receives(opened, 'lasting', 'token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('are requested at most once in ten seconds, however short their lifetime', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.lifetimeSeconds = 1;
    await subscribe(opened);
    await opened.advance(minute);
    expect(opened.server.requests.length).toBeGreaterThanOrEqual(5);
    expect(opened.server.requests.length).toBeLessThanOrEqual(7);
    await leavesNothing(opened);
  });

  it('may last for months, without a timer that overflows', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.lifetimeSeconds = 90 * 24 * 3600;
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    await opened.jump(60 * 24 * hour);
    expect(opened.server.requests).toHaveLength(1);
    await leavesNothing(opened);
  });

  it.each([
    ['stop()', 'lab.tokens.stop()', '{}'],
    ['the signal', 'lab.abort.abort()', '{ signal: (lab.abort = new AbortController()).signal }'],
  ])('end at once by %s, even during a request', async (_title, how, options) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    const isAborted = opened.page.waitForEvent('requestfailed');
    opened.server.script({ isHeld: true });
    await subscribe(opened, options);
    await until(() => opened.server.requests.length === 1);
    await opened.run(`${how}, 0`);
    expect((await isAborted).failure()?.errorText).toBe('net::ERR_ABORTED');
    await receives(opened, 'STOPPED!');
    expect(await opened.run('lab.tokens.get().catch(({ code }) => code)')).toBe('STOPPED');
    expect(opened.server.requests).toHaveLength(1);
    await hasEnded(opened);
  });

  it('are never requested if the signal is already aborted', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await subscribe(opened, '{ signal: AbortSignal.abort() }');
    await receives(opened, 'STOPPED!');
    expect(opened.server.requests).toHaveLength(0);
    await hasEnded(opened);
  });

  it('wait at most 30 seconds for a request that hangs', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script({ isHeld: true });
    await subscribe(opened);
    await until(() => opened.server.requests.length === 1);
    await opened.runFor(30_000);
    await receives(opened, 'NETWORK_ERROR');
    await opened.runFor(1_500);
    await receives(opened, 'NETWORK_ERROR', 'token-2-ann');
    await leavesNothing(opened);
  });

  it.each([
    ['fails', 'async () => { throw new Error("no network") }', 0],
    ['throws', '() => { throw new Error("no network") }', 0],
    ['hangs', '() => new Promise(() => {})', 30_000],
  ])('are requested again when getAccessToken %s', async (_title, getAccessToken, ms) => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await subscribe(
      opened,
      `{ getAccessToken: (fresh) => (lab.isBack ? lab.getAccessToken : ${getAccessToken})(fresh) }`,
    );
    await opened.runFor(ms);
    await receives(opened, 'ACCESS_TOKEN_UNAVAILABLE');
    expect(opened.server.requests).toHaveLength(0);
    await opened.run('lab.isBack = true');
    await opened.runFor(1_500);
    await receives(opened, 'ACCESS_TOKEN_UNAVAILABLE', 'token-1-ann');
    await leavesNothing(opened);
  });

  it('end when getAccessToken reports that no user is logged in', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    const getAccessToken = '() => { throw Object.assign(new Error("Nobody is logged in."), { terminal: true }) }';
    await subscribe(opened, `{ getAccessToken: ${getAccessToken} }`);
    await receives(opened, 'ACCESS_TOKEN_UNAVAILABLE!');
    expect(await opened.run('lab.tokens.get().catch(({ message }) => message)')).toBe('Nobody is logged in.');
    expect(opened.server.requests).toHaveLength(0);
    await hasEnded(opened);
  });

  it('are requested with cookies and without an access token in cookie mode; a 401 ends the session at once', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.context.addCookies([{ name: 'session', value: 'ann', url: opened.server.url }]);
    await subscribe(opened, '{ getAccessToken: undefined }');
    await receives(opened, 'token-1-');
    expect(opened.server.requests).toMatchObject([{ authorization: undefined, cookie: 'session=ann' }]);
    opened.server.script(refusal(401, 'TOKEN_EXPIRED'));
    await opened.runFor(0.74 * hour);
    await opened.advance(0.12 * hour);
    await receives(opened, 'token-1-', 'TOKEN_EXPIRED!');
    expect(opened.server.requests).toHaveLength(2);
    await hasEnded(opened);
  });

  it('are requested without cookies if there is an access token', async () => {
    const opened = await lab.open();
    await opened.context.addCookies([{ name: 'session', value: 'ann', url: opened.server.url }]);
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    expect(opened.server.requests).toMatchObject([{ cookie: undefined }]);
    await leavesNothing(opened);
  });

  it('are shared by get(), which leaves nothing running', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await opened.run('lab.tokens = lab.create(), 0');
    const all = 'Promise.all(Array.from({ length: 20 }, () => lab.tokens.get()))';
    expect(new Set(await opened.run<string[]>(all))).toEqual(new Set(['token-1-ann']));
    await hasEnded(opened);
    expect(new Set(await opened.run<string[]>(all))).toEqual(new Set(['token-2-ann']));
    expect(opened.server.requests).toHaveLength(2);
  });

  it('are replaced once for all callers that report the same token as expired, and not within ten seconds', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    await subscribe(opened);
    await receives(opened, 'token-1-ann');
    await opened.run('lab.others = Promise.all([1, 2, 3].map(() => lab.tokens.get("token-1-ann"))), 0');
    await opened.runFor(9_000);
    expect(opened.server.requests).toHaveLength(1);
    await opened.runFor(2_000);
    expect(await opened.run('lab.others')).toEqual(['token-2-ann', 'token-2-ann', 'token-2-ann']);
    expect(await opened.run('lab.tokens.get("token-1-ann")')).toBe('token-2-ann');
    expect(opened.server.requests).toHaveLength(2);
    await leavesNothing(opened);
  });

  it('make get() reject after 30 seconds with the last error', async () => {
    const opened = await lab.open({ fakeTime: Date.now() });
    opened.server.script(refusal(503, 'UPSTREAM_UNAVAILABLE', { 'retry-after': '300' }));
    await opened.run('lab.tokens = lab.create(), lab.got = lab.tokens.get().catch(({ code }) => code), 0');
    await until(() => opened.server.requests.length === 1);
    await opened.run('lab.settled()');
    await opened.runFor(31_000);
    expect(await opened.run('lab.got')).toBe('UPSTREAM_UNAVAILABLE');
    expect(opened.server.requests).toHaveLength(1);
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
  });

  it('reach every subscriber, even if another one throws', async () => {
    const opened = await lab.open();
    const errors: string[] = [];
    opened.page.on('pageerror', ({ message }) => errors.push(message));
    await opened.run('lab.tokens = lab.create(), lab.tokens.subscribe(() => { throw new Error("broken") }), 0');
    await opened.run('lab.leave = lab.tokens.subscribe(lab.note), 0');
    await receives(opened, 'token-1-ann');
    expect(errors).toEqual(['broken']);
    expect(opened.server.requests).toHaveLength(1);
    await opened.run('lab.tokens.stop()');
    expect(await opened.running()).toEqual({ timers: 0, listeners: 0 });
  });
});

describe.skipIf(!hasWholeChromium)(`the tokens of a page in the whole browser${wholeChromiumReason}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(launchWholeChromium);
  });
  afterEach(() => lab.clean());
  afterAll(() => lab.close());

  it('are renewed if the page with an ended token comes back from the back/forward cache', async () => {
    const opened = await lab.open();
    await opened.run('lab.tokens = lab.create(), lab.leave = lab.tokens.subscribe(lab.note), 0');
    await until(async () => (await opened.events()).length > 0);
    expect(await opened.events()).toEqual(['token-1-ann']);
    await opened.run(`addEventListener('pageshow', ({ persisted }) => {
      lab.events.push('persisted ' + persisted);
      lab.sleep(${2 * hour});
      lab.tokens.subscribe((event) => event.token === 'token-2-ann' && navigator.sendBeacon('/report', lab.events.join()));
    }, { capture: true }), location.href = '/back', 0`);
    await until(() => lab.reports.length > 0);
    expect(lab.reports).toEqual(['token-1-ann,persisted true,token-2-ann']);
    expect(opened.server.requests).toHaveLength(2);
  });
});
