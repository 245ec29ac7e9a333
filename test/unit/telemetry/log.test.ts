import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { createAudit, type Audit } from '../../../src/telemetry/audit.ts';
import { createLog, toLoggableError, type Log } from '../../../src/telemetry/log.ts';
import { logMessages } from '../../support/sentences/log-messages.ts';

interface Started {
  readonly log: Log;
  readonly audit: Audit;
  readonly text: () => string;
  /** All lines so far, parsed as JSON. */
  readonly lines: () => Promise<readonly Record<string, unknown>[]>;
}

function start(level = 'info'): Started {
  let text = '';
  const log = createLog({
    level,
    clock: systemClock,
    sink: {
      write: (more, done) => {
        text += more;
        done();
      },
    },
  });
  return {
    log,
    audit: createAudit(log.audit, systemClock),
    text: () => text,
    lines: async () => {
      await log.flush(1000);
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

const subject = { requestId: 'r', sub: 'u1', durationMs: 12.345678 };
const issued = { ...subject, requestSha256: 'a', tokenSha256: 'b', reused: false, expiresInSeconds: 60 };

describe('a log line', () => {
  it('has no member for an undefined value, at any depth', async () => {
    const { log, lines, text } = start();
    log.logger.warn({ port: 1, adminPort: undefined, detail: { url: 'u', problem: undefined } }, 'it happened');
    expect(await lines()).toMatchObject([{ port: 1, detail: { url: 'u' } }]);
    expect(text()).not.toContain('adminPort');
    expect(text()).not.toContain('problem');
  });
});

describe('an error in the log', () => {
  it('has its type, its code and its stack, but not its message', async () => {
    const { log, lines, text } = start();
    const error = Object.assign(new TypeError('claim sub is "alice", token eyJhbGciOi'), {
      code: 'ERR_INVALID_ARG',
      claims: { sub: 'alice' },
      cause: new Error('alice again'),
    });
    log.logger.error({ err: error }, 'it broke');
    log.logger.error({ error }, 'it broke');
    const written = await lines();
    expect(written[0]?.['err']).toMatchObject({ type: 'TypeError', code: 'ERR_INVALID_ARG' });
    expect(written[0]?.['err']).toEqual(written[1]?.['error']);
    expect(String((written[0]?.['err'] as { stack: string[] }).stack[0])).toMatch(/^at .*log\.test\.ts/);
    expect(text()).not.toContain('alice');
    expect(text()).not.toContain('eyJ');
  });

  it.each([
    'lower_case',
    'A',
    'HAS SPACE',
    'X'.repeat(65),
    'ERR-DASH',
    '1ST',
    'ERR\nLINE',
    42,
    { toString: () => 'ERR' },
  ])('ignores the code %j', (code) => {
    expect(toLoggableError(Object.assign(new Error('m'), { code }))).not.toHaveProperty('code');
  });

  it('is a code and a reason for a refusal, and a type for a value that is not an error', () => {
    const detail = { message: 'the secret sentence', sub: 'alice' };
    expect(toLoggableError(new ServiceError('ACCESS_DENIED', 'validation_refused', detail))).toEqual({
      type: 'ServiceError',
      code: 'ACCESS_DENIED',
      reason: 'validation_refused',
    });
    expect(toLoggableError('alice')).toEqual({ type: 'string' });
    expect(toLoggableError(undefined)).toEqual({ type: 'undefined' });
  });

  it('has at most twelve stack frames, and no line of a message that looks like one', () => {
    const recurse = (depth: number): Error =>
      depth === 0 ? new Error('x\n    at secret (evil.js:1:1)') : recurse(depth - 1);
    const { stack } = toLoggableError(recurse(30)) as { stack: string[] };
    expect(stack.length).toBeLessThanOrEqual(12);
    expect(stack.join()).not.toContain('secret');
  });
});

describe('each log line', () => {
  it('omits requests and replies', async () => {
    const { log, lines } = start();
    log.logger.info({ req: { headers: { authorization: 'Bearer x' } }, res: {}, a: 1 }, 'm');
    expect((await lines())[0]).toMatchObject({ a: 1, message: 'm' });
    expect(Object.keys((await lines())[0] ?? {})).not.toEqual(expect.arrayContaining(['req', 'res']));
  });

  it.each([
    ['a C1 control', '\u009b31m', '\\u009b31m'],
    ['DEL', 'a\u007f', 'a\\u007f'],
    ['a right-to-left override', 'a\u202eb', 'a\\u202eb'],
    ['an isolate', '\u2066a\u2069', '\\u2066a\\u2069'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a paragraph separator', 'a\u2029b', 'a\\u2029b'],
    ['a byte order mark', '\ufeffa', '\\ufeffa'],
    ['a zero-width space', 'a\u200bb', 'a\\u200bb'],
    ['a tag character', 'a\u{e0041}b', 'a\\udb40\\udc41b'],
    ['a line break', 'a\nb', 'a\\nb'],
    ['an escape', '\u001b[31m', '\\u001b[31m'],
    ['a lone surrogate', 'a\ud800', 'a\\ud800'],
  ])('escapes %s, and parses to the same text', async (_title, sub, written) => {
    const { log, audit, lines, text } = start();
    await audit.issued({ ...issued, sub });
    log.logger.warn({ sub }, 'm');
    expect((await lines()).map((line) => line['sub'])).toEqual([sub, sub]);
    expect(text().split(`"sub":"${written}"`)).toHaveLength(3);
  });

  it('keeps other letters unchanged', async () => {
    const { log, lines, text } = start();
    log.logger.info({ sub: 'Ünï пользователь 用户 👩‍💻' }, 'm');
    await lines();
    expect(text()).toContain('Ünï пользователь 用户');
  });
});

describe('the audit', () => {
  it('is written at every level except silent', async () => {
    for (const level of ['fatal', 'error', 'info', 'trace']) {
      const { log, audit, lines } = start(level);
      log.logger.debug('chatter');
      await audit.issued(issued);
      await audit.refused({ ...subject, code: 'INVALID_TOKEN', reason: 'signature_invalid' });
      expect((await lines()).filter(({ event }) => event !== undefined)).toMatchObject([
        { level: 'info', event: 'guest_token.issued', tokenSha256: 'b' },
        { level: 'info', event: 'guest_token.refused', reason: 'signature_invalid' },
      ]);
    }
    const { audit, text } = start('silent');
    audit.assertCanRecord();
    await audit.issued(issued);
    await audit.refused({ ...subject, code: 'INVALID_TOKEN', reason: 'signature_invalid' });
    expect(text()).toBe('');
  });

  it('is written in the format of pino, whatever a name contains', async () => {
    const { audit, text } = start();
    const pinos = start();
    const { logger } = pinos.log;
    const character = (code: number): string => String.fromCharCode(code);
    const names = [
      ...Array.from({ length: 0x180 }, (_, code) => `a${character(code)}b`),
      ...['\u2028', '\u202e', '\ud800', '\udfff', '\ufeff', '\uffff', '👩‍💻', '"\\u0041"', '</script>', '', '{}', ' '],
    ];
    for (const name of names) {
      const subject = { requestId: 'r', trace_id: name, iss: name, sub: name, dataApp: name, clientId: name };
      const grant = { requestSha256: 'a', tokenSha256: 'b', reused: false, expiresInSeconds: 60, durationMs: 1.5 };
      await audit.issued({ ...subject, ...grant });
      logger.info({ event: 'guest_token.issued', ...subject, ...grant }, logMessages.issued);
      await audit.refused({
        requestId: name,
        sub: 17,
        durationMs: 0,
        code: 'INTERNAL_ERROR',
        reason: 'bug',
        claim: name,
      });
      const refused = { requestId: name, sub: 17, code: 'INTERNAL_ERROR', reason: 'bug', claim: name, durationMs: 0 };
      logger.error({ event: 'guest_token.refused', ...refused }, logMessages.refused);
    }
    expect(await pinos.lines()).toHaveLength(names.length * 2);
    const withoutTimes = (written: string): string[] => written.replaceAll(/"time":"[^"]*"/g, '').split('\n');
    expect(withoutTimes(text())).toEqual(withoutTimes(pinos.text()));
  });

  it('has the present time, and only members with a value', async () => {
    const { audit, text } = start();
    await audit.issued({ ...issued, iss: undefined });
    const [, time] =
      /^\{"level":"info","time":"([^"]+)","event":"guest_token.issued","requestId":"r","sub":"u1",/.exec(text()) ?? [];
    expect(Math.abs(Date.now() - Date.parse(time ?? ''))).toBeLessThan(60_000);
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('has durations with three decimals', async () => {
    const { audit, lines } = start();
    await audit.issued(issued);
    await audit.refused({ ...subject, code: 'INVALID_TOKEN', reason: 'signature_invalid' });
    expect((await lines()).map(({ durationMs }) => durationMs)).toEqual([12.346, 12.346]);
  });

  it('issues no token if its line cannot be written, while refusals are still sent', async () => {
    const log = createLog({
      level: 'info',
      clock: systemClock,
      sink: { write: (_text, done) => done(new Error('EPIPE')) },
    });
    const audit = createAudit(log.audit, systemClock);
    audit.assertCanRecord();
    await expect(audit.issued(issued)).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      reason: 'audit_unavailable',
    });
    expect(() => audit.assertCanRecord()).toThrow(ServiceError);
    await audit.refused({ ...subject, code: 'AUDIT_UNAVAILABLE', reason: 'audit_unavailable' });
  });
});
