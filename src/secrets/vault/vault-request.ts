// One request to Vault's HTTP API: TLS is always verified, redirects are not followed, size and time are bounded. Every
// request opens a new connection (there are a few per minute), so that a replaced certificate, a changed CA file or a
// new active node is used at once.
import { systemErrorCode } from '../../problem.ts';
import { Client } from 'undici';
import { createEgress, type Egress, readBody } from '../../egress/egress.ts';
import type { ReadFileAsync } from '../../file-reader.ts';
import { own, parseJsonObject, type JsonObject } from '../../strict-json.ts';
import type { ReadFailure } from '../secret-setting.ts';
import type { Secret } from '../secret.ts';
import { readCertificates, type VaultAddress } from './vault-address.ts';

export interface VaultRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below `/v1/`, encoded. */
  readonly path: string;
  readonly token?: Secret;
  /** Members of the JSON body. Secrets among them are revealed here only. */
  readonly body?: Readonly<Record<string, string | number | Secret>>;
}

/** `problem` completes the sentence "the secret …". */
export type VaultFailure = ReadFailure & {
  /** 0: there was no HTTP response. */
  readonly status: number;
  readonly body: JsonObject;
};

export type VaultResponse = { readonly kind: 'ok'; readonly body: JsonObject } | VaultFailure;

/** Never throws. */
export type SendVaultRequest = (request: VaultRequest) => Promise<VaultResponse>;

const direct = createEgress({ https: undefined, http: undefined, noProxy: '' });

const maxBytes = 1_048_576;
const nothing: JsonObject = {};

/** Certificates that cannot be verified (RFC 5280, RFC 6125), as OpenSSL and Node name what is wrong with them. */
const certificateCode =
  /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(VERIFY|GET_ISSUER)|INVALID_CA|HOSTNAME_)/;

function failureOf(error: unknown, timedOut: boolean): VaultFailure {
  const failure = (kind: ReadFailure['kind'], why: string, fix: string): VaultFailure => ({
    kind,
    status: 0,
    problem: `could not be read: ${why}`,
    fix,
    body: nothing,
  });
  if (timedOut) return failure('unavailable', 'Vault did not respond in time', 'Check VAULT_ADDR and the network');
  const code = systemErrorCode(error);
  return certificateCode.test(code)
    ? failure(
        'refused',
        `Vault's certificate could not be verified (${code})`,
        "Set VAULT_CACERT to the CA of Vault's certificate, and VAULT_ADDR to a name in it",
      )
    : failure('unavailable', `Vault could not be reached (${code})`, 'Check VAULT_ADDR and that Vault is running');
}

/** Whether Vault's `errors` contain a text. They are never passed on. */
const says = (body: JsonObject, sentence: RegExp): boolean => {
  const errors = own(body, 'errors');
  return Array.isArray(errors) && errors.some((error) => typeof error === 'string' && sentence.test(error));
};

/** By the status codes in Vault's API documentation; `body` is undefined if it is not a JSON object. */
function responseOf(status: number, parsed: JsonObject | undefined): VaultResponse {
  const body = parsed ?? nothing;
  if (status === 204 || (status === 200 && parsed !== undefined)) return { kind: 'ok', body };
  const unavailable = (why: string, fix: string): VaultFailure => ({
    kind: 'unavailable',
    status,
    problem: `could not be read: ${why}`,
    fix,
    body,
  });
  const refused = (problem: string, fix: string): VaultFailure => ({ kind: 'refused', status, problem, fix, body });

  if (status === 200) {
    return { ...refused('could not be read: the response is not from Vault', 'Check VAULT_ADDR'), status: 0 };
  }
  if (says(body, /Vault is sealed/i)) return unavailable('Vault is sealed', 'Unseal Vault');
  if (says(body, /not initialized/i)) return unavailable('Vault is not initialized', 'Initialize and unseal Vault');
  if (status >= 300 && status < 400) {
    return unavailable(
      `Vault responded with a redirect (${status}), which is not followed`,
      'Set VAULT_ADDR to the active node, or to a load balancer that finds it',
    );
  }
  if (status === 412 || status === 429 || status === 472 || status === 473 || status >= 500) {
    return unavailable(`Vault responded with ${status}`, "Check Vault's own log and health");
  }
  if (status === 403) return refused('may not be read with this login (403)', "Let the login's policy read its path");
  if (status === 404) return refused('does not exist (404)', 'Check mount, path and VAULT_NAMESPACE');
  return refused(
    `could not be read: Vault responded with ${status}`,
    "Check mount, path, VAULT_NAMESPACE and Vault's log",
  );
}

/** The body as a JSON object; undefined when it is not one or too large. */
async function readObject(body: AsyncIterable<Buffer>): Promise<JsonObject | undefined> {
  const bytes = await readBody(body, maxBytes);
  try {
    return bytes && parseJsonObject(bytes);
  } catch {
    return undefined;
  }
}

const toJson = (body: NonNullable<VaultRequest['body']>): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(body).map(([name, value]) => [name, typeof value === 'object' ? value.reveal() : value]),
    ),
  );

interface VaultSenderOptions {
  readonly address: VaultAddress;
  readonly readFile: ReadFileAsync;
  readonly egress: Pick<Egress, 'routeTo'>;
  /** For one request: connect, headers and body together. */
  readonly timeoutMs: number;
}

export function createVaultSender({ address, readFile, egress, timeoutMs }: VaultSenderOptions): SendVaultRequest {
  const target = new URL(address.origin);
  // http is for loopback only: secrets must not pass a proxy in clear text.
  const { routeTo } = target.protocol === 'http:' ? direct : egress;

  const headersFor = ({ token, body }: VaultRequest): Record<string, string | undefined> => ({
    accept: 'application/json',
    'user-agent': 'guest-token-proxy',
    // As Vault's own clients do: a Vault agent or proxy may require it against forged requests.
    'x-vault-request': 'true',
    'x-vault-namespace': address.namespace,
    'x-vault-token': token?.reveal(),
    'content-type': body && 'application/json',
  });

  async function sendOver(request: VaultRequest, ca: string | undefined, signal: AbortSignal): Promise<VaultResponse> {
    const route = routeTo(target, { connectTimeoutMs: timeoutMs, ca });
    const client = new Client(route.origin, { connect: route.connect, allowH2: false });
    try {
      const { statusCode, body } = await client.request({
        method: request.method,
        path: `${route.pathPrefix}${address.pathPrefix}/v1/${request.path}`,
        headers: { ...headersFor(request), ...route.headers },
        body: request.body === undefined ? null : toJson(request.body),
        signal,
      });
      // Without this listener, a body that fails later would end the process.
      body.on('error', () => undefined);
      return responseOf(statusCode, await readObject(body));
    } finally {
      await client.destroy();
    }
  }

  return async (request) => {
    const certificates = await readCertificates(address, readFile);
    if (typeof certificates === 'string') {
      const problem = `could not be read: ${certificates}`;
      return { kind: 'refused', status: 0, problem, fix: 'Check the path and its permissions', body: nothing };
    }
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await sendOver(request, certificates.ca, signal);
    } catch (error) {
      return failureOf(error, signal.aborted);
    }
  };
}
