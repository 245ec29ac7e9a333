// From the policy file's text to a Policy, or every problem at once (contract section 5).
import type { Policy } from './policy.ts';

export interface LoadPolicyOptions {
  readonly text: string;
  /** The file's name, for positions. */
  readonly file: string;
  /** Upper bound for every `expiresIn`. */
  readonly maxLifetimeSeconds: number;
  /** Settings that hold an API key; absent: the policy's `apiKey`s are not checked. */
  readonly apiKeyNames?: Iterable<string>;
}

/** Throws ConfigurationError with all problems, each at `file:line:column`. */
export type LoadPolicy = (options: LoadPolicyOptions) => Policy;
