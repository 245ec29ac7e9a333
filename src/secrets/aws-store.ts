// AWS Secrets Manager as a store of secrets: `X_AWS_SECRET=<arn or name>[#json-field]`, read with AWS's own library,
// which finds the credentials and the region itself (role of the task, pod or instance; `AWS_…` variables).
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isLoopback } from '../trusted-url.ts';
import { callCloud, loadLibrary, type ErrorClass } from './cloud-call.ts';
import { parseFieldReference, readField } from './secret-value.ts';
import type { SecretStore, SecretStoreKind } from './secret-store.ts';
import type { SecretRead } from './secret-setting.ts';

const example = 'prod/guest-token-proxy#api-key';
const namePattern = /^[A-Za-z0-9/_+=.@!-]{1,512}$/;
const arnPattern = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:[A-Za-z0-9/_+=.@!-]{1,519}$/;

const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'] as const;

function classify(error: unknown): ErrorClass {
  const { name, status } = detailsOf(error);
  if (name === 'ResourceNotFoundException') return 'missing';
  if (name === 'AccessDeniedException' || name === 'AccessDenied') return 'forbidden';
  // The library fetches expired or missing credentials again.
  if (/^(Expired|Credentials|Throttl|TooManyRequests|UnrecognizedClient|InvalidClientTokenId)/.test(name))
    return 'unavailable';
  return status >= 400 && status < 500 && status !== 429 ? 'invalid' : 'unavailable';
}

function detailsOf(error: unknown): { readonly name: string; readonly status: number } {
  if (!(error instanceof Error)) return { name: '', status: 0 };
  const { $metadata: metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return { name: error.name, status: metadata?.httpStatusCode ?? 0 };
}

export const awsStoreKind: SecretStoreKind = {
  suffix: '_AWS_SECRET',
  label: 'AWS Secrets Manager',
  problemOf: (reference) => {
    const { name, field } = parseFieldReference(reference);
    const fix = `Write it as a name or ARN with an optional #field, such as ${example}`;
    if (!namePattern.test(name) && !arnPattern.test(name)) return { problem: 'is neither a name nor an ARN', fix };
    return field === '' ? { problem: 'names no field behind the #', fix } : undefined;
  },
  open: async (context) => {
    for (const variable of ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_ENDPOINT_URL']) {
      const endpoint = URL.parse(context.settings.raw(variable) ?? 'https://unset');
      if (endpoint?.protocol === 'https:' || (endpoint !== null && isLoopback(endpoint))) continue;
      return context.settings.report(
        variable,
        'is not https: secrets would cross the network in clear text',
        'Use https',
      );
    }
    const name = '@aws-sdk/client-secrets-manager';
    const library = await loadLibrary(name, () => import('@aws-sdk/client-secrets-manager'), context);
    if (library === undefined) return undefined;
    // Unlike the other providers' libraries, AWS's does not use an egress proxy; Node's agents do.
    const proxyEnv = Object.fromEntries(proxyVariables.map((variable) => [variable, context.settings.raw(variable)]));
    const agents = {
      httpAgent: new HttpAgent({ keepAlive: true, proxyEnv }),
      httpsAgent: new HttpsAgent({ keepAlive: true, proxyEnv, rejectUnauthorized: true }),
    };
    /** Clients by region; the empty region is the library's default. */
    const clients = new Map<string, SecretsManagerClient>();

    const clientFor = (region: string): SecretsManagerClient => {
      const client =
        clients.get(region) ??
        new library.SecretsManagerClient({
          maxAttempts: 2,
          requestHandler: { ...agents, connectionTimeout: 3_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
          ...(region !== '' && { region }),
        });
      clients.set(region, client);
      return client;
    };

    const read = async (reference: string): Promise<SecretRead> => {
      const { name: id, field } = parseFieldReference(reference);
      const region = arnPattern.exec(id)?.[1] ?? '';
      const command = new library.GetSecretValueCommand({ SecretId: id });
      const response = await callCloud(
        'AWS Secrets Manager',
        async (abortSignal) => clientFor(region).send(command, { abortSignal }),
        classify,
      );
      if ('kind' in response) return response;
      const { SecretString: text, SecretBinary: binary } = response.value;
      return readField(text ?? Buffer.from(binary ?? []).toString('utf8'), field);
    };

    const close: SecretStore['close'] = () => {
      for (const client of clients.values()) client.destroy();
      return Promise.resolve();
    };
    return { read, close };
  },
};
