// What the simulated Databrain answers to one request, before it becomes bytes.
import type { Refusal } from './refusal.ts';

export interface Answer {
  readonly status: number;
  /** JSON. */
  readonly body: unknown;
  /** The data app whose API key was presented. */
  readonly dataAppOfKey?: string;
  readonly code?: string;
  /** The guest token that was given. */
  readonly token?: string;
}

export const toAnswer = ({ code, message, status }: Refusal): Answer => ({
  status,
  code,
  body: { error: { code, message, status } },
});

export const isRefusal = (value: object): value is Refusal => 'code' in value && 'status' in value;
