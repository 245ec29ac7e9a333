// Google Secret Manager: `X_GCP_SECRET=projects/<project>/secrets/<name>[/versions/<version>][#json-field]`, read with
// Google's own library, which finds the credentials itself.
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { callCloud, loadLibrary, type ErrorClass } from './cloud-call.ts';
import { parseFieldReference, readField } from './secret-value.ts';
import type { SecretStoreKind } from './secret-store.ts';

const example = 'projects/my-project/secrets/databrain-api-key';
const pattern =
  /^projects\/[a-z0-9:.-]{1,80}(\/locations\/[a-z0-9-]{1,40})?\/secrets\/[A-Za-z0-9_-]{1,255}(\/versions\/[A-Za-z0-9_-]{1,64})?$/;
const callTimeoutMs = 5_000;

/** https://grpc.io/docs/guides/status-codes/ */
function classify(error: unknown): ErrorClass {
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  if (code === 5) return 'missing';
  if (code === 7) return 'forbidden';
  // Invalid argument, failed precondition (a disabled or destroyed version), unimplemented.
  return code === 3 || code === 9 || code === 12 ? 'invalid' : 'unavailable';
}

type ClientOptions = NonNullable<ConstructorParameters<typeof SecretManagerServiceClient>[0]>;

/** @param clientOptions passed to the library's client; for tests with a simulated service */
export const createGcpStoreKind = (clientOptions: ClientOptions = {}): SecretStoreKind => ({
  suffix: '_GCP_SECRET',
  label: 'Google Secret Manager',
  problemOf: (reference) => {
    const { name, field } = parseFieldReference(reference);
    const fix = `Write it as ${example}, with an optional /versions/<version> and an optional #field`;
    if (!pattern.test(name)) return { problem: 'is not the name of a secret', fix };
    return field === '' ? { problem: 'names no field behind the #', fix } : undefined;
  },
  open: async (context) => {
    const name = '@google-cloud/secret-manager';
    const library = await loadLibrary(name, () => import('@google-cloud/secret-manager'), context);
    if (library === undefined) return undefined;
    const client = new library.SecretManagerServiceClient(clientOptions);
    return {
      read: async (reference) => {
        const { name: secret, field } = parseFieldReference(reference);
        const version = secret.includes('/versions/') ? secret : `${secret}/versions/latest`;
        const response = await callCloud(
          'Google Secret Manager',
          () => client.accessSecretVersion({ name: version }, { timeout: callTimeoutMs, maxRetries: 1 }),
          classify,
        );
        if ('kind' in response) return response;
        const data = response.value[0].payload?.data ?? '';
        return readField(typeof data === 'string' ? data : Buffer.from(data).toString('utf8'), field);
      },
      close: async () => {
        await client.close().catch(() => undefined);
      },
    };
  },
});
