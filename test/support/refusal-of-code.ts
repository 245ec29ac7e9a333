// A refusal with a given public code, for tests that do not depend on its reason.
import { ServiceError, type ErrorCode } from '../../src/errors.ts';
import { codesByReason, reasons, type CodeOf, type Reason } from '../../src/refusal-reasons.ts';

/** Every reason that is refused with the code. */
export const reasonsOf = (code: ErrorCode): readonly Reason[] =>
  reasons.filter((reason) => codesByReason[reason].some((one) => one === code));

const isUsed = (code: ErrorCode): code is CodeOf<Reason> => reasonsOf(code).length > 0;

/** With the first reason of the code. */
export function refusalOf(code: ErrorCode): ServiceError {
  const [reason] = reasonsOf(code);
  if (reason === undefined || !isUsed(code)) throw new Error(`src/refusal-reasons.ts has no reason for ${code}`);
  return new ServiceError(code, reason);
}
