// A secret value. It prints, serialises and inspects as a placeholder; only reveal() returns it.
import { hash } from 'node:crypto';
import { inspect } from 'node:util';

const placeholder = '[secret]';

export class Secret {
  readonly #value: string;
  #identity: string | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value. Call it only where the value is used, never to store it or pass it on. */
  reveal(): string {
    return this.#value;
  }

  /** SHA-256 of the value in hex, to compare secrets. Not for logs. */
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
