// The audit log: one line for every decision on a guest token, issued or refused, without secrets. An issued token has
// its line before it is sent; the line of a refusal may be dropped while the log is not read, and is counted. The
// token's hash lets an operator trace a leaked token to its user. Lines are in the form of pino's, but written by hand,
// because there is one for every request: the names are known, and pino takes several times as long.
import { roundMs, type Clock } from '../clock.ts';
import { errorRow, ServiceError, type ErrorCode } from '../errors.ts';
import type { Reason } from '../refusal-reasons.ts';
import { escapeUnprintable } from '../printable.ts';
import type { AuditLog } from './log.ts';

/** The subject of a decision, as far as it was verified at that time. */
export interface DecisionSubject {
  readonly requestId: string;
  /** If tracing is enabled, in OpenTelemetry's spelling. */
  readonly trace_id?: string | undefined;
  readonly iss?: string | undefined;
  /** A number stays a number: 17 and "17" are two users. */
  readonly sub?: string | number | undefined;
  readonly dataApp?: string | undefined;
  readonly clientId?: string | undefined;
  readonly policyRevision?: string | undefined;
  readonly durationMs: number;
}

export interface IssuedDecision extends DecisionSubject {
  /** SHA-256 of the canonical request body, 64 hex digits: identifies the rights of the token. */
  readonly requestSha256: string;
  /** First 16 hex digits of the guest token's SHA-256. */
  readonly tokenSha256: string;
  readonly reused: boolean;
  readonly expiresInSeconds: number;
}

export interface RefusedDecision extends DecisionSubject {
  readonly code: ErrorCode;
  readonly reason: Reason;
  readonly claim?: string | undefined;
  readonly position?: string | undefined;
  readonly upstreamCode?: string | undefined;
  readonly address?: string | undefined;
}

export interface Audit {
  /** Throws AUDIT_UNAVAILABLE while no line can be written. Called before minting. */
  readonly assertCanRecord: () => void;
  /** Resolves once the line is written. Throws AUDIT_UNAVAILABLE if that fails: then the token must not be sent. */
  readonly issued: (decision: IssuedDecision) => Promise<void>;
  /** Resolves once the line is written. While the log is not read, the line may be dropped; it is counted. */
  readonly refused: (decision: RefusedDecision) => Promise<void>;
}

/** The first members of a line, about its subject. */
const subjectMembers = {
  requestId: true,
  trace_id: true,
  iss: true,
  sub: true,
  dataApp: true,
  clientId: true,
  policyRevision: true,
} as const;

/** The members of each line in their order. A member that is missing here does not compile. */
const issuedMembers = {
  ...subjectMembers,
  requestSha256: true,
  tokenSha256: true,
  reused: true,
  expiresInSeconds: true,
  durationMs: true,
} as const satisfies Record<keyof IssuedDecision, true>;
const refusedMembers = {
  ...subjectMembers,
  code: true,
  reason: true,
  claim: true,
  position: true,
  upstreamCode: true,
  address: true,
  durationMs: true,
} as const satisfies Record<keyof RefusedDecision, true>;

/** The value of a member of a line; undefined: the line has no such member. */
type AuditValue = string | number | boolean | undefined;

/** Text that JSON and a terminal show as it is: ASCII without quotation marks and backslashes. */
const plain = /^[ !#-[\]-~]*$/;

const quote = (text: string): string => (plain.test(text) ? `"${text}"` : escapeUnprintable(JSON.stringify(text)));

const toJson = (value: string | number | boolean): string => (typeof value === 'string' ? quote(value) : String(value));

interface AuditLine<Members extends Readonly<Record<string, true>>> {
  readonly level: string;
  readonly time: string;
  readonly event: string;
  /** The names of the members, in their order. */
  readonly members: Members;
  /** The values of the members. Numbers must be finite. */
  readonly decision: Readonly<Partial<Record<keyof Members, AuditValue>>>;
  readonly message: string;
}

/** The line, with its end. Escapes the values of the members, and nothing else. */
function toAuditLine<Members extends Readonly<Record<string, true>>>(line: AuditLine<Members>): string {
  const { level, time, event, members, decision, message } = line;
  let text = `{"level":"${level}","time":"${time}","event":"${event}"`;
  for (const name in members) {
    const value = decision[name];
    if (value !== undefined) text += `,"${name}":${toJson(value)}`;
  }
  return `${text},"message":"${message}"}\n`;
}

/** Returns the writer of times. Many lines have the same time, and writing it takes longer than the rest of a line. */
function createTimeText({ now }: Pick<Clock, 'now'>): () => string {
  let writtenMs: number | undefined;
  let text = '';
  return () => {
    const nowMs = now();
    if (nowMs !== writtenMs) text = new Date(nowMs).toISOString();
    writtenMs = nowMs;
    return text;
  };
}

/** Audit lines are written at every level except `silent`. */
export function createAudit({ record, note, canRecord }: AuditLog, clock: Pick<Clock, 'now'>): Audit {
  const time = createTimeText(clock);

  return {
    assertCanRecord: () => {
      if (!canRecord()) throw new ServiceError('AUDIT_UNAVAILABLE', 'audit_unavailable');
    },
    issued: async (decision) => {
      const line = toAuditLine({
        level: 'info',
        time: time(),
        event: 'guest_token.issued',
        members: issuedMembers,
        decision: { ...decision, durationMs: roundMs(decision.durationMs) },
        message: 'guest token issued',
      });
      if (!(await record(line))) throw new ServiceError('AUDIT_UNAVAILABLE', 'audit_unavailable');
    },
    refused: async (decision) => {
      const line = toAuditLine({
        level: errorRow(decision.code).logLevel,
        time: time(),
        event: 'guest_token.refused',
        members: refusedMembers,
        decision: { ...decision, durationMs: roundMs(decision.durationMs) },
        message: 'guest token refused',
      });
      await note(line);
    },
  };
}
