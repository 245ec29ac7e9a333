// A value that must not leave: it prints, serialises and inspects as a placeholder. Only reveal() gives it up.
import { hash } from 'node:crypto';
import { inspect } from 'node:util';

const placeholder = '[secret]';

export class Secret {
  readonly #value: string;
  #identity: string | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where the value is used, never where it is stored or passed on. */
  reveal(): string {
    return this.#value;
  }

  /** SHA-256 of the value in hex: tells two secrets apart without holding either. Not for logs. */
  identity(): string {
    return (this.#identity ??= hash('sha256', this.#value, 'hex'));
  }

  toString(): string {
    return placeholder;
  }

  toJSON(): string {
    return placeholder;
  }

  [inspect.custom](): string {
    return placeholder;
  }
}
