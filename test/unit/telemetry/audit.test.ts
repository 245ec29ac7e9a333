import { describe, expect, it } from 'vitest';
import { createAudit } from '../../../src/telemetry/audit.ts';
import type { AuditLog } from '../../../src/telemetry/log.ts';
import { logMessages } from '../../support/sentences/log-messages.ts';

const time = '2026-11-26T18:00:00.000Z';
const subject = { requestId: 'r-1', sub: 'u1', durationMs: 1.23456 };
const issued = { ...subject, requestSha256: 'a', tokenSha256: 'b', reused: false, expiresInSeconds: 60 };

function start({ canRecord = true, isWritten = true } = {}) {
  const calls: (readonly [string, unknown])[] = [];
  const auditLog: AuditLog = {
    record: async (line) => {
      calls.push(['record', JSON.parse(line)]);
      return isWritten;
    },
    note: async (line) => void calls.push(['note', JSON.parse(line)]),
    canRecord: () => canRecord,
  };
  const audit = createAudit(auditLog, { now: () => Date.parse(time) });
  return { audit, calls };
}

describe('the audit log', () => {
  it('requires a written line for each issued token', async () => {
    const { audit, calls } = start();
    await audit.issued(issued);
    const head = { level: 'info', time, event: 'guest_token.issued' };
    expect(calls).toEqual([['record', { ...head, ...issued, durationMs: 1.235, message: logMessages.issued }]]);
  });

  it('issues no token if its line is not written', async () => {
    const { audit } = start({ isWritten: false });
    await expect(audit.issued(issued)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  it('reports before a mint that no line can be written', () => {
    expect(() => start({ canRecord: false }).audit.assertCanRecord()).toThrow(
      expect.objectContaining({ code: 'AUDIT_UNAVAILABLE', reason: 'audit_unavailable' }),
    );
    expect(() => start().audit.assertCanRecord()).not.toThrow();
  });

  it.each([
    ['ACCESS_DENIED', 'info'],
    ['UPSTREAM_TIMEOUT', 'warn'],
    ['INTERNAL_ERROR', 'error'],
  ] as const)('logs a refusal at the level of its code: %s', async (code, level) => {
    const { audit, calls } = start();
    await audit.refused({ ...subject, code, reason: 'bug' });
    const head = { level, time, event: 'guest_token.refused' };
    const line = { ...head, ...subject, durationMs: 1.235, code, reason: 'bug', message: logMessages.refused };
    expect(calls).toEqual([['note', line]]);
  });
});
