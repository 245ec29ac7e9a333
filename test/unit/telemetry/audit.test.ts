import { describe, expect, it } from 'vitest';
import { createAudit } from '../../../src/telemetry/audit.ts';

const subject = { requestId: 'r-1', sub: 'u1', durationMs: 1.23456 };
const issued = { ...subject, requestSha256: 'a', tokenSha256: 'b', reused: false, expiresInSeconds: 60 };

function start({ canRecord = true, isWritten = true } = {}) {
  const calls: unknown[][] = [];
  const audit = createAudit({
    record: async (...call) => {
      calls.push(['record', ...call]);
      return isWritten;
    },
    note: async (...call) => void calls.push(['note', ...call]),
    canRecord: () => canRecord,
  });
  return { audit, calls };
}

describe('the audit log', () => {
  it('requires the line of what is issued', async () => {
    const { audit, calls } = start();
    await audit.issued(issued);
    expect(calls).toEqual([
      ['record', 'info', { event: 'guest_token.issued', ...issued, durationMs: 1.235 }, expect.any(String)],
    ]);
  });

  it('lets nothing be issued when its line is not written', async () => {
    const { audit } = start({ isWritten: false });
    await expect(audit.issued(issued)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  it('says before a mint that no line can be written', () => {
    expect(() => start({ canRecord: false }).audit.expectRecord()).toThrow(
      expect.objectContaining({ code: 'AUDIT_UNAVAILABLE', reason: 'audit_unavailable' }),
    );
    expect(() => start().audit.expectRecord()).not.toThrow();
  });

  it.each([
    ['ACCESS_DENIED', 'info'],
    ['UPSTREAM_TIMEOUT', 'warn'],
    ['INTERNAL_ERROR', 'error'],
  ] as const)('notes a refusal at the level of its code: %s', async (code, level) => {
    const { audit, calls } = start();
    await audit.refused({ ...subject, code, reason: 'bug' });
    const line = { event: 'guest_token.refused', ...subject, durationMs: 1.235, code, reason: 'bug' };
    expect(calls).toEqual([['note', level, line, expect.any(String)]]);
  });
});
