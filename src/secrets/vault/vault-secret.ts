// One secret in Vault: `<mount>/<path>#<field>`, from a KV engine of version 2 or 1, or from an engine with leases.
// Vault reports the kind of engine if permitted; otherwise both versions of KV are tried.
import { memberOf, own, type JsonObject } from '../../strict-json.ts';
import type { Problem } from '../../problem.ts';
import type { Secret } from '../secret.ts';
import type { SendVaultRequest, VaultResponse, VaultFailure } from './vault-request.ts';

export interface VaultReference {
  /** Segments of mount and path; only Vault knows where the mount ends. */
  readonly segments: readonly string[];
  readonly field: string;
}

const vaultExample = 'secret/guest-token-proxy#api-key';

/** The reference, or its problem. */
export function parseVaultReference(text: string): VaultReference | Omit<Problem, 'location'> {
  const fix = `Write it as <mount>/<path>#<field>, such as ${vaultExample}`;
  const at = text.indexOf('#');
  const field = text.slice(at + 1);
  if (at === -1 || field === '') return { problem: 'names no field', fix };
  const segments = text.slice(0, at).split('/');
  if (segments.length < 2) return { problem: 'names no path below a mount', fix };
  const isWrong = (segment: string): boolean => /^\.{0,2}$|[\p{C}?#\\]/u.test(segment);
  if (segments.some(isWrong) || /\p{C}/u.test(field)) return { problem: 'is not a path in Vault', fix };
  return { segments, field };
}

type Engine =
  | { readonly kind: 'kv2' | 'kv1'; readonly mount: readonly string[]; readonly path: readonly string[] }
  | { readonly kind: 'other' };

export interface VaultLease {
  readonly id: string;
  readonly lifetimeMs: number;
  readonly renewable: boolean;
}

export type FoundSecret =
  | {
      readonly kind: 'ok';
      readonly value: unknown;
      readonly freshForMs?: number | undefined;
      readonly lease?: VaultLease | undefined;
    }
  | VaultFailure;

const encode = (segments: readonly string[]): string => segments.map(encodeURIComponent).join('/');

/** A lease's terms in a response or renewal; undefined for secrets that are simply kept, as KV's are. */
export function leaseOf(body: JsonObject): VaultLease | undefined {
  const id = own(body, 'lease_id');
  const life = own(body, 'lease_duration');
  if (typeof id !== 'string' || id === '' || typeof life !== 'number' || !(life > 0)) return undefined;
  return { id, lifetimeMs: life * 1000, renewable: own(body, 'renewable') === true };
}

export function createReadVaultSecret(send: SendVaultRequest) {
  const get = (token: Secret, ...parts: (readonly string[])[]): Promise<VaultResponse> =>
    send({ method: 'GET', path: encode(parts.flat()), token });

  /** Vault's description of the mount; undefined if there is none, for example without permission. */
  async function lookUpEngine({ segments }: VaultReference, token: Secret): Promise<Engine | VaultFailure | undefined> {
    const response = await get(token, ['sys', 'internal', 'ui', 'mounts'], segments);
    if (response.kind === 'unavailable' || (response.kind === 'refused' && response.status === 0)) return response;
    const data = response.kind === 'ok' ? own(response.body, 'data') : undefined;
    const mountPath = memberOf(data, 'path');
    if (typeof mountPath !== 'string') return undefined;
    const mount = mountPath.replace(/\/+$/, '').split('/');
    if (mount.length >= segments.length || mount.some((segment, index) => segment !== segments[index]))
      return undefined;
    const type = memberOf(data, 'type');
    if (type !== 'kv' && type !== 'generic') return { kind: 'other' };
    const isVersioned = memberOf(memberOf(data, 'options'), 'version') === '2';
    return { kind: isVersioned ? 'kv2' : 'kv1', mount, path: segments.slice(mount.length) };
  }

  const readFrom = (engine: Engine, { segments }: VaultReference, token: Secret): Promise<VaultResponse> => {
    if (engine.kind === 'other') return get(token, segments);
    return engine.kind === 'kv2'
      ? get(token, engine.mount, ['data'], engine.path)
      : get(token, engine.mount, engine.path);
  };

  const isVersioned = (response: VaultResponse): boolean =>
    response.kind === 'ok' && typeof memberOf(memberOf(own(response.body, 'data'), 'metadata'), 'version') === 'number';

  /** The version whose path responds, with one segment as the mount. */
  async function tryBoth(
    reference: VaultReference,
    token: Secret,
  ): Promise<{ engine: Engine; response: VaultResponse }> {
    const mount = reference.segments.slice(0, 1);
    const path = reference.segments.slice(1);
    const kv2: Engine = { kind: 'kv2', mount, path };
    const versioned = await readFrom(kv2, reference, token);
    if (isVersioned(versioned) || versioned.kind === 'unavailable') return { engine: kv2, response: versioned };
    const kv1: Engine = { kind: 'kv1', mount, path };
    const plain = await readFrom(kv1, reference, token);
    // Prefer "forbidden" over "not found", which each version returns for paths of the other.
    const isPlain = plain.kind === 'ok' || versioned.kind === 'ok' || plain.kind === 'unavailable';
    const isMoreSpecific = isPlain || plain.status === 403 || versioned.status === 404;
    return isMoreSpecific ? { engine: kv1, response: plain } : { engine: kv2, response: versioned };
  }

  function toFound(engine: Engine, reference: VaultReference, response: VaultResponse): FoundSecret {
    if (response.kind !== 'ok') return explain(engine, response);
    const data = own(response.body, 'data');
    const lease = leaseOf(response.body);
    // KV 1 has a lease without a name, with the time after which its secret should be read again.
    const life = own(response.body, 'lease_duration');
    const freshForMs = typeof life === 'number' && life > 0 ? life * 1000 : undefined;
    return {
      kind: 'ok',
      value: memberOf(engine.kind === 'kv2' ? memberOf(data, 'data') : data, reference.field),
      freshForMs,
      lease,
    };
  }

  function explain(engine: Engine, failure: VaultFailure): VaultFailure {
    if (failure.kind !== 'refused' || failure.status !== 404 || engine.kind !== 'kv2') return failure;
    const deleted = memberOf(memberOf(own(failure.body, 'data'), 'metadata'), 'deletion_time');
    if (typeof deleted === 'string' && deleted !== '') {
      return { ...failure, problem: 'was deleted in Vault', fix: 'Undelete its newest version, or write a new one' };
    }
    if (engine.path[0] !== 'data') return failure;
    const fix = `Write ${[...engine.mount, ...engine.path.slice(1)].join('/')}: /data/ is added for version 2 of KV`;
    return { ...failure, fix };
  }

  /** Where a secret was found last time. Bounded by the number of settings that name one. */
  const known = new Map<string, Engine>();

  return async (reference: VaultReference, token: Secret): Promise<FoundSecret> => {
    const key = encode(reference.segments);
    const remembered = known.get(key);
    if (remembered !== undefined) {
      const response = await readFrom(remembered, reference, token);
      if (response.kind !== 'refused' || response.status === 0) return toFound(remembered, reference, response);
      // The mount may have become another one.
      known.delete(key);
    }
    const found = await lookUpEngine(reference, token);
    if (found !== undefined && 'status' in found) return found;
    const { engine, response } =
      found === undefined
        ? await tryBoth(reference, token)
        : { engine: found, response: await readFrom(found, reference, token) };
    if (response.kind === 'ok') known.set(key, engine);
    return toFound(engine, reference, response);
  };
}
