// The audit: exactly one line for every decision on a guest token, issued or refused, with nothing in it that opens
// anything. The token's hash lets an operator trace a leaked token to the user it was issued to.
import type { Logger } from 'pino';
import { errorRow, type ErrorCode, type Reason } from '../errors.ts';

/** Whom and what a decision was about, as far as it was verified when the decision fell. */
export interface DecisionSubject {
  readonly requestId: string;
  readonly iss?: string | undefined;
  /** A number stays one: 17 and "17" are two users. */
  readonly sub?: string | number | undefined;
  readonly dataApp?: string | undefined;
  readonly clientId?: string | undefined;
  readonly policyRevision?: string | undefined;
  readonly durationMs: number;
}

export interface IssuedDecision extends DecisionSubject {
  /** SHA-256 of the canonical request body, 64 hex digits: which rights the token has. */
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
  readonly issued: (decision: IssuedDecision) => void;
  readonly refused: (decision: RefusedDecision) => void;
}

const milliseconds = (value: number): number => Math.round(value * 1000) / 1000;

/** Audit lines are written at every level but `silent`: they are the service's record, not its chatter. */
export function createAudit(logger: Logger): Audit {
  const record = logger.child({}, { level: logger.level === 'silent' ? 'silent' : 'info' });
  return {
    issued: ({ durationMs, ...decision }) => {
      record.info(
        { event: 'guest_token.issued', ...decision, durationMs: milliseconds(durationMs) },
        'guest token issued',
      );
    },
    refused: ({ durationMs, ...decision }) => {
      const { logLevel } = errorRow(decision.code);
      record[logLevel](
        { event: 'guest_token.refused', ...decision, durationMs: milliseconds(durationMs) },
        'guest token refused',
      );
    },
  };
}
