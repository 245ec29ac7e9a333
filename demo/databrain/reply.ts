// The reply of the simulated Databrain to one request, before it is serialised.
import type { Refusal } from './refusal.ts';

export interface Reply {
  readonly status: number;
  /** JSON. */
  readonly body: unknown;
  /** The data app of the API key. */
  readonly dataAppOfKey?: string;
  readonly code?: string;
  /** The minted guest token. */
  readonly token?: string;
}

export const toReply = ({ code, message, status }: Refusal): Reply => ({
  status,
  code,
  body: { error: { code, message, status } },
});

export const isRefusal = (value: object): value is Refusal => 'code' in value && 'status' in value;
