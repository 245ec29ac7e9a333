// check --live for issuers: asks each one for its metadata and keys, as the service does, and says what came.
import { examineIssuers, type ExamineOptions, type KeySetReport } from '../authn/examine.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/load-config.ts';
import { createEgress } from '../egress/egress.ts';
import { prepareVerifiers } from '../http/jwt.ts';
import { printable } from '../printable.ts';
import type { Problem } from '../problem.ts';

const maxLeftOut = 10;

/** One line about keys that came and cannot be used. */
const leftOutText = (leftOut: readonly { readonly which: string; readonly why: string }[]): string =>
  leftOut
    .slice(0, maxLeftOut)
    .map(({ which, why }) => `${which} ${why}`)
    .join('; ');

/** What went wrong with an issuer's keys, with both values where two differ. */
export function keySetProblem(report: KeySetReport & { readonly kind: 'failed' }): Problem {
  const { iss, failure, detail } = report;
  const { url, httpStatus, errorCode, location, received, expected, problem, leftOut = [], fix } = detail;
  const facts = [
    url === undefined ? '' : `asked ${url}`,
    httpStatus === undefined ? '' : `HTTP status ${httpStatus}`,
    errorCode ?? '',
    location === undefined ? '' : `redirects to ${location}`,
    received === undefined ? '' : `received ${received}`,
    expected === undefined ? '' : `expected ${expected}`,
    problem ?? '',
    leftOutText(leftOut),
  ].filter((fact) => fact !== '');
  return {
    location: iss,
    problem: `its keys could not be fetched (${failure}): ${facts.join(', ')}`,
    fix,
  };
}

type ExaminedSettings = Pick<Config, 'issuers' | 'egress'>;

/** What the real checks need outside the service. */
export const examineOptions = ({ issuers, egress }: ExaminedSettings, clock: Clock): ExamineOptions => ({
  issuers,
  prepareVerifiers,
  createAgent: createEgress(egress).createAgent,
  clock,
});

export interface LiveIssuers {
  /** A line for every issuer whose keys came. */
  readonly lines: readonly string[];
  readonly problems: readonly Problem[];
}

/** Asks every issuer whose keys are fetched, once. Ends within the time limit of a key fetch. */
export async function checkIssuers(config: ExaminedSettings, clock: Clock): Promise<LiveIssuers> {
  const reports = await examineIssuers(examineOptions(config, clock));
  const problems: Problem[] = [];
  const lines: string[] = [];
  for (const report of reports) {
    if (report.kind === 'failed') {
      problems.push(keySetProblem(report));
      continue;
    }
    const leftOut = report.leftOut.length === 0 ? '' : `; left out: ${leftOutText(report.leftOut)}`;
    lines.push(`live: ${printable(report.iss)}: ${report.keys} key${report.keys === 1 ? '' : 's'} fetched${leftOut}`);
  }
  return { lines, problems };
}
