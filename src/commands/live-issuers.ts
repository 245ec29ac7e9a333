// check --live for issuers: fetches each one's metadata and keys, like the service, and reports the result.
import { examineIssuers, type ExamineOptions, type KeySetReport } from '../authn/examine.ts';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/read-settings.ts';
import { createEgress } from '../egress/egress.ts';
import { prepareVerifiers } from '../http/jwt.ts';
import { printable } from '../printable.ts';
import type { Problem } from '../problem.ts';

const maxLeftOut = 10;

/** One line about fetched keys that are unusable. */
const leftOutText = (leftOut: readonly { readonly which: string; readonly why: string }[]): string =>
  leftOut
    .slice(0, maxLeftOut)
    .map(({ which, why }) => `${which} ${why}`)
    .join('; ');

/** The problem with an issuer's keys, with the expected and received values. */
export function keySetProblem(report: KeySetReport & { readonly kind: 'failed' }): Problem {
  const { iss, failure, detail } = report;
  const { url, httpStatus, errorCode, location, received, expected, problem, leftOut = [], fix } = detail;
  const facts = [
    url === undefined ? '' : `requested ${url}`,
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

type ExaminedSettings = Pick<Settings, 'issuers' | 'egress'>;

/** The options of the real checks outside the service. */
export const examineOptions = ({ issuers, egress }: ExaminedSettings, clock: Clock): ExamineOptions => ({
  issuers,
  prepareVerifiers,
  createAgent: createEgress(egress).createAgent,
  clock,
});

export interface LiveIssuers {
  /** A line for every issuer whose keys were fetched. */
  readonly lines: readonly string[];
  readonly problems: readonly Problem[];
}

/** Fetches the keys of every issuer once, within the time limit of a key fetch. */
export async function checkIssuers(settings: ExaminedSettings, clock: Clock): Promise<LiveIssuers> {
  const reports = await examineIssuers(examineOptions(settings, clock));
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
