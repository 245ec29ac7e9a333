// A misconfiguration, told so that it can be mended: where it is, what is wrong, what to do. Never holds a secret.

export interface Problem {
  /** A variable's name or `file:line:column`. */
  readonly location: string;
  /** What is wrong, without a full stop. */
  readonly problem: string;
  /** What to do about it, without a full stop. */
  readonly fix: string;
}

/** One line, whatever the parts contain. */
export const toLine = ({ location, problem, fix }: Problem): string =>
  `${location}: ${problem}. ${fix}.`.replace(/[\r\n\u2028\u2029]+/g, ' ');

/** Everything that is wrong, at once. The service does not start with one of these. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly Problem[];
  /** Nothing is wrong with the settings, but something that they name is away; starting again later may help. */
  readonly isTemporary: boolean;

  constructor(problems: readonly Problem[], isTemporary = false) {
    super(problems.map(toLine).join('\n'));
    this.problems = problems;
    this.isTemporary = isTemporary;
  }
}
