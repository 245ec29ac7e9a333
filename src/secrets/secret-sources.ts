// All sources of a secret setting, by the suffix of the variable. A further store is one file and one line here.
import { awsStoreKind } from './aws-store.ts';
import { createAzureStoreKind } from './azure-store.ts';
import { createGcpStoreKind } from './gcp-store.ts';
import type { SecretStoreKind } from './secret-store.ts';
import { vaultStoreKind } from './vault/vault-store.ts';

export const secretStoreKinds: readonly SecretStoreKind[] = [
  vaultStoreKind,
  awsStoreKind,
  createGcpStoreKind(),
  createAzureStoreKind(),
];

const suffixes: readonly string[] = ['_FILE', ...secretStoreKinds.map(({ suffix }) => suffix)];

/** `X_FILE`, `X_VAULT` and so on. */
export const sourceVariables = (name: string): readonly string[] => suffixes.map((suffix) => `${name}${suffix}`);

/** `X` for `X_FILE`, `X_VAULT` and so on, and for `X` itself. */
export function settingOf(variable: string): string {
  const suffix = suffixes.find((candidate) => variable.endsWith(candidate));
  return suffix === undefined ? variable : variable.slice(0, -suffix.length);
}
