// Azure Key Vault: `X_AZURE_SECRET=https://<vault>.vault.azure.net/secrets/<name>[/<version>][#json-field]`, read with
// Azure's own libraries, which find the credentials themselves.
import type { SecretClient } from '@azure/keyvault-secrets';
import { callCloud, loadLibrary, type ErrorClass } from './cloud-call.ts';
import { parseFieldReference, readField } from './secret-value.ts';
import type { SecretStoreKind } from './secret-store.ts';
import type { SecretRead } from './secret-setting.ts';

const example = 'https://my-vault.vault.azure.net/secrets/databrain-api-key';
const path = /^\/secrets\/([A-Za-z0-9-]{1,127})(?:\/([0-9a-f]{32}))?$/;

interface Located {
  readonly vault: string;
  readonly secret: string;
  readonly version?: string | undefined;
}

function locate(name: string): Located | undefined {
  const url = URL.parse(name);
  const [, secret, version] = path.exec(url?.pathname ?? '') ?? [];
  if (url?.protocol !== 'https:' || secret === undefined || url.search !== '' || url.username !== '') return undefined;
  return { vault: url.origin, secret, version };
}

function classify(error: unknown): ErrorClass {
  const status = error instanceof Error ? (error as { readonly statusCode?: unknown }).statusCode : undefined;
  if (status === 404) return 'missing';
  if (status === 403) return 'forbidden';
  return status === 400 ? 'invalid' : 'unavailable';
}

/** @param clientOptions passed to the library's client; for tests with a simulated vault */
export const createAzureStoreKind = (clientOptions: object = {}): SecretStoreKind => ({
  suffix: '_AZURE_SECRET',
  label: 'Azure Key Vault',
  problemOf: (reference) => {
    const { name, field } = parseFieldReference(reference);
    const fix = `Write it as ${example}, with an optional version and an optional #field`;
    if (locate(name) === undefined) return { problem: 'is not the identifier of a secret', fix };
    return field === '' ? { problem: 'names no field behind the #', fix } : undefined;
  },
  open: async (context) => {
    const secrets = await loadLibrary('@azure/keyvault-secrets', () => import('@azure/keyvault-secrets'), context);
    const identity = await loadLibrary('@azure/identity', () => import('@azure/identity'), context);
    if (secrets === undefined || identity === undefined) return undefined;
    const credential = new identity.DefaultAzureCredential();
    const clients = new Map<string, SecretClient>();

    const clientFor = (vault: string): SecretClient => {
      const options = { retryOptions: { maxRetries: 1, maxRetryDelayInMs: 1_000 }, ...clientOptions };
      const client = clients.get(vault) ?? new secrets.SecretClient(vault, credential, options);
      clients.set(vault, client);
      return client;
    };

    return {
      read: async (reference): Promise<SecretRead> => {
        const { name, field } = parseFieldReference(reference);
        const located = locate(name);
        if (located === undefined)
          return { kind: 'refused', problem: 'is not the identifier of a secret', fix: example };
        const { vault, secret, version } = located;
        const response = await callCloud(
          'Azure Key Vault',
          (abortSignal) =>
            clientFor(vault).getSecret(secret, { abortSignal, ...(version !== undefined && { version }) }),
          classify,
        );
        return 'kind' in response ? response : readField(response.value.value ?? '', field);
      },
      close: () => Promise.resolve(),
    };
  },
});
