import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { observeEdge } from '../../../src/telemetry/edge-events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const hour = 3_600_000;

function start() {
  let written = '';
  const clock = createManualClock();
  const metrics = createMetrics();
  const log = createLog({
    level: 'info',
    clock: systemClock,
    sink: {
      write: (text, done) => {
        written += text;
        done();
      },
    },
  });
  const lines = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    await log.flush(1_000);
    const all = written.split('\n').filter((line) => line !== '');
    written = '';
    return all.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  };
  const metric = async (name: string): Promise<number> => {
    const { text } = await metrics.expose();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  };
  return { clock, lines, metric, events: observeEdge(metrics, log.logger, clock.monotonic) };
}

describe('events that callers can cause', () => {
  it('are logged once for each value, and again after one hour', async () => {
    const { clock, events, lines, metric } = start();
    const evil = 'https://evil.example';
    for (const origin of [evil, evil, 'https://two.example', evil]) events.onUnknownOrigin(origin);
    expect((await lines()).map(({ level, origin }) => [level, origin])).toEqual([
      ['warn', evil],
      ['warn', 'https://two.example'],
    ]);
    clock.advance(hour);
    events.onUnknownOrigin(evil);
    expect(await lines()).toEqual([]);
    clock.advance(1);
    events.onUnknownOrigin(evil);
    events.onUnknownOrigin(evil);
    expect(await lines()).toHaveLength(1);
    clock.advance(hour);
    events.onUnknownOrigin(evil);
    expect(await lines()).toEqual([]);
    expect(await metric('guest_token_unknown_origins_total')).toBe(8);
  });

  it('are logged for at most a hundred values an hour, with at most 256 characters each', async () => {
    const { clock, events, lines, metric } = start();
    for (let index = 0; index < 150; index += 1) events.onUnknownOrigin(`https://${index}.example`);
    expect(await lines()).toHaveLength(100);
    clock.advance(hour + 1);
    events.onUnknownOrigin('x'.repeat(257));
    events.onUnknownOrigin('x'.repeat(300));
    expect((await lines()).map(({ origin }) => origin)).toEqual(['x'.repeat(256)]);
    expect(await metric('guest_token_unknown_origins_total')).toBe(152);
  });

  it('of the admin listener and of other protocols have separate limits', async () => {
    const { events, lines } = start();
    events.onUnknownAdminHost('evil.example');
    events.onUnknownAdminHost('evil.example');
    events.onOtherProtocol('PORT', 'TLS');
    events.onOtherProtocol('PORT', 'TLS');
    events.onOtherProtocol('ADMIN_PORT', 'TLS');
    expect(await lines()).toMatchObject([
      { level: 'warn', host: 'evil.example' },
      { level: 'warn', port: 'PORT', protocol: 'TLS' },
      { level: 'warn', port: 'ADMIN_PORT', protocol: 'TLS' },
    ]);
  });

  it('of an unknown proxy are logged once', async () => {
    const { events, lines } = start();
    events.onUntrustedForwarding('x-forwarded-for', '192.0.2.0/24');
    events.onUntrustedForwarding('forwarded', '198.51.100.0/24');
    expect(await lines()).toMatchObject([{ level: 'warn', header: 'x-forwarded-for', peer: '192.0.2.0/24' }]);
  });

  it('that close a connection are counted by cause', async () => {
    const { events, metric } = start();
    events.onConnectionClosed('offender');
    expect(await metric('guest_token_connections_closed_total{cause="offender"}')).toBe(1);
  });
});

it('an error of the listening socket is logged with its code', async () => {
  const { events, lines } = start();
  events.onServerError('EMFILE');
  expect(await lines()).toMatchObject([{ level: 'error', errorCode: 'EMFILE' }]);
});
