// Why a part of the policy file does not load: what is wrong, what to write instead, and where in the part's text.
// The compiler adds the position in the file.

export class LoadProblem extends Error {
  override readonly name = 'LoadProblem';
  readonly what: string;
  readonly mend: string;
  /** In characters from the beginning of the part. */
  readonly offset: number;

  constructor(what: string, mend: string, offset = 0) {
    super(what);
    this.what = what;
    this.mend = mend;
    this.offset = offset;
  }
}
