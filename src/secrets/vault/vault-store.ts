// HashiCorp Vault and OpenBao: `X_VAULT=<mount>/<path>#<field>`. With our own client, because the packages in the
// registry neither renew a token nor log in again.
import { readValue } from '../secret-value.ts';
import type { SecretStore, SecretStoreKind } from '../secret-store.ts';
import type { SecretRead } from '../secret-setting.ts';
import type { Secret } from '../secret.ts';
import { readVaultAddress } from './vault-address.ts';
import { readVaultLogin } from './vault-login.ts';
import type { SendVaultRequest } from './vault-request.ts';
import {
  createReadVaultSecret,
  leaseOf,
  parseVaultReference,
  type FoundSecret,
  type VaultLease,
} from './vault-secret.ts';
import { createVaultSession, type VaultSession } from './vault-session.ts';

const timeoutMs = 5_000;

interface LeasedValue {
  readonly value: Secret;
  readonly lease: VaultLease;
}

/** The value with a renewed lease; undefined if the lease cannot be prolonged by at least half. */
async function prolong(
  { value, lease }: LeasedValue,
  send: SendVaultRequest,
  token: Secret,
): Promise<SecretRead | undefined> {
  if (!lease.renewable) return undefined;
  const body = { lease_id: lease.id, increment: Math.ceil(lease.lifetimeMs / 1000) };
  const response = await send({ method: 'PUT', path: 'sys/leases/renew', token, body });
  if (response.kind === 'unavailable') return { kind: 'unavailable', problem: response.problem, fix: response.fix };
  const renewed = response.kind === 'ok' ? leaseOf(response.body) : undefined;
  if (renewed === undefined || renewed.lifetimeMs < lease.lifetimeMs / 2) return undefined;
  return { kind: 'read', value, freshForMs: renewed.lifetimeMs };
}

function createVaultStore(send: SendVaultRequest, session: VaultSession): SecretStore {
  const readSecret = createReadVaultSecret(send);
  /** By reference: reading a leased secret again would create another one. */
  const leased = new Map<string, LeasedValue>();

  function toRead(reference: string, found: FoundSecret): SecretRead {
    if (found.kind !== 'ok') return { kind: found.kind, problem: found.problem, fix: found.fix };
    const read = readValue(found.value, found.freshForMs);
    if (read.kind === 'read' && found.lease !== undefined)
      leased.set(reference, { value: read.value, lease: found.lease });
    return read;
  }

  return {
    read: async (reference, { forceNew = false } = {}) => {
      const parsed = parseVaultReference(reference);
      if ('problem' in parsed) return { kind: 'refused', problem: parsed.problem, fix: parsed.fix };
      const login = await session.token();
      if (login.kind !== 'ok') return login;
      const held = leased.get(reference);
      leased.delete(reference);
      const prolonged = held === undefined || forceNew ? undefined : await prolong(held, send, login.token.token);
      if (held !== undefined && prolonged !== undefined) {
        leased.set(reference, held);
        return prolonged;
      }
      const found = await readSecret(parsed, login.token.token);
      if (found.kind !== 'refused' || found.status !== 403) return toRead(reference, found);
      const again = await session.replace(login.token.token);
      if (again.kind !== 'ok') return again;
      if (again.token.token.identity() === login.token.token.identity()) return toRead(reference, found);
      return toRead(reference, await readSecret(parsed, again.token.token));
    },
    close: session.close,
  };
}

export const vaultStoreKind: SecretStoreKind = {
  suffix: '_VAULT',
  label: 'Vault',
  problemOf: (reference) => {
    const parsed = parseVaultReference(reference);
    return 'problem' in parsed ? parsed : undefined;
  },
  open: async ({ settings, readFile, egress, clock, random, onEvent }) => {
    const address = readVaultAddress(settings);
    if (address === undefined) return undefined;
    // The client is loaded only if secrets are in Vault.
    const { createVaultSender } = await import('./vault-request.ts');
    const send = createVaultSender({ address, readFile, egress, timeoutMs });
    const login = readVaultLogin({ send, settings, readFile });
    if (login === undefined) return undefined;
    return createVaultStore(send, createVaultSession({ send, login, clock, random, onEvent }));
  },
};
