// Why a part of the policy file does not load: problem, fix and the offset in the text of the part. The compiler adds
// the position in the file.

export class LoadProblem extends Error {
  override readonly name = 'LoadProblem';
  readonly problem: string;
  readonly fix: string;
  /** In characters from the start of the part. */
  readonly offset: number;

  constructor(problem: string, fix: string, offset = 0) {
    super(problem);
    this.problem = problem;
    this.fix = fix;
    this.offset = offset;
  }
}
