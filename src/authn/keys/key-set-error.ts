// Why an issuer's keys could not be had. A closed list, fit for a metric's label; never an issuer's own words.

export type KeySetFailure =
  | 'timeout'
  | 'unreachable'
  | 'redirect'
  | 'status'
  | 'encoded'
  | 'too_large'
  | 'not_json'
  | 'issuer_mismatch'
  | 'address_refused'
  | 'set_refused'
  | 'no_usable_key'
  /** Ours, not the issuer's. */
  | 'bug';

export class KeySetError extends Error {
  override readonly name = 'KeySetError';
  readonly failure: KeySetFailure;

  constructor(failure: KeySetFailure) {
    super(`the key set cannot be had (${failure})`);
    this.failure = failure;
  }
}
