// What is wrong with the configuration: location, problem and fix, and the two errors that carry them. Never holds a
// secret.

export interface Problem {
  /** A variable's name or `file:line:column`. */
  readonly location: string;
  /** The problem, without a full stop. */
  readonly problem: string;
  /** The fix, without a full stop. */
  readonly fix: string;
}

/** One line, whatever the parts contain. */
export const toLine = ({ location, problem, fix }: Problem): string =>
  `${location}: ${problem}. ${fix}.`.replace(/[\r\n\u2028\u2029]+/g, ' ');

/** The code of a system error, such as ENOENT. Never its message, which may quote input. */
export const systemErrorCode = (error: unknown): string =>
  (error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined) ?? 'unknown error';

/** Why a file cannot be read, and what to do; the problem completes the sentence "… names a file that …". */
export const unreadableFile = (error: unknown): Omit<Problem, 'location'> => ({
  problem: `cannot be read (${systemErrorCode(error)})`,
  fix: 'Check the path and its permissions',
});

/** All problems found, in one error. The service does not start when it is thrown. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly Problem[];
  /** The settings are valid, but something that they name is unavailable: a restart may succeed. */
  readonly isTemporary: boolean;

  constructor(problems: readonly Problem[], isTemporary = false) {
    super(problems.map(toLine).join('\n'));
    this.problems = problems;
    this.isTemporary = isTemporary;
  }
}

/** Runs a step; adds the problems of a ConfigurationError to `problems` instead of throwing it. */
export function collectProblems<T>(problems: Problem[], step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/**
 * A part of the configuration, such as an expression of the policy or a key, does not load. Whoever loads the whole
 * catches it and adds the location.
 */
export class LoadProblem extends Error {
  override readonly name = 'LoadProblem';
  readonly problem: string;
  /** Empty if only the catcher knows one. */
  readonly fix: string;
  /** Where the problem is, in characters from the start of the part. */
  readonly offset: number;

  constructor(problem: string, fix = '', offset = 0) {
    super(problem);
    this.problem = problem;
    this.fix = fix;
    this.offset = offset;
  }
}
