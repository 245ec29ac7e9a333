// Logs in to Vault: with an existing token, or by AppRole, Kubernetes or JWT. Credentials are read for every login,
// because files of tokens and secret ids are replaced while the service runs.
import { unreadableFile } from '../../problem.ts';
import type { ReadFileAsync } from '../../file-reader.ts';
import { memberOf, own, type JsonObject } from '../../strict-json.ts';
import { type ReadFailure, type SecretSetting, secretText } from '../secret-setting.ts';
import type { StoreSettings } from '../secret-store.ts';
import { Secret } from '../secret.ts';
import type { SendVaultRequest, VaultFailure } from './vault-request.ts';

export interface VaultToken {
  readonly token: Secret;
  /** Remaining lifetime; undefined if it does not expire or is unknown. */
  readonly lifetimeMs?: number | undefined;
  /** As Vault reports. At the end of its maximum lifetime a token is still reported as renewable. */
  readonly renewable: boolean;
}

export type LoginResult = { readonly kind: 'ok'; readonly token: VaultToken } | ReadFailure;

export interface VaultLogin {
  /** Whether each login creates a token, which must be revoked. */
  readonly makesTokens: boolean;
  /** Never throws. */
  readonly run: () => Promise<LoginResult>;
}

/** A pod's own token, renewed in place by the kubelet. */
const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const seconds = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/** The token of an `auth` member, of a login or a renewal; undefined when there is none. */
export function tokenOf(body: JsonObject): VaultToken | undefined {
  const auth = own(body, 'auth');
  const text = memberOf(auth, 'client_token');
  if (typeof text !== 'string' || !/^[\x21-\x7E]{1,8192}$/.test(text)) return undefined;
  const life = seconds(memberOf(auth, 'lease_duration'));
  const renewable = memberOf(auth, 'renewable') === true;
  return { token: new Secret(text), renewable, lifetimeMs: life === 0 ? undefined : life * 1000 };
}

type Presented = { readonly value: Secret } | ReadFailure;

const unreadable = (name: string, why: string): ReadFailure => ({
  kind: 'refused',
  problem: `could not be read: ${name} names a file that ${why}`,
  fix: 'Check the path, its permissions and its content',
});

async function readSecretFile(name: string, path: string, readFile: ReadFileAsync): Promise<Presented> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    return unreadable(name, unreadableFile(error).problem);
  }
  try {
    return { value: new Secret(secretText(content)) };
  } catch (error) {
    return unreadable(name, error instanceof Error ? error.message : 'cannot be used');
  }
}

interface LoginOptions {
  readonly send: SendVaultRequest;
  readonly settings: StoreSettings;
  readonly readFile: ReadFileAsync;
}

const current = async ({ name, value, file }: SecretSetting, { readFile }: LoginOptions): Promise<Presented> =>
  file === undefined ? { value } : readSecretFile(`${name}_FILE`, file.path, readFile);

function refusedLogin(name: string, path: string, failure: VaultFailure): ReadFailure {
  if (failure.kind === 'unavailable' || failure.status === 0) {
    return { kind: failure.kind, problem: failure.problem, fix: failure.fix };
  }
  return {
    kind: 'refused',
    problem: `could not be read: Vault refused the ${name} login at auth/${path} (${failure.status})`,
    fix: `Check what the login presents, its role in Vault, VAULT_AUTH_PATH and VAULT_NAMESPACE`,
  };
}

/** A token from the settings. Its lifetime is looked up, if its policies permit. */
function tokenLogin(setting: SecretSetting, options: LoginOptions): VaultLogin {
  return {
    makesTokens: false,
    run: async () => {
      const presented = await current(setting, options);
      if ('kind' in presented) return presented;
      const token = presented.value;
      const response = await options.send({ method: 'GET', path: 'auth/token/lookup-self', token });
      // A valid token without permission for the look-up gets 403 too; reading a secret will show.
      if (response.kind !== 'ok' && response.status === 403) return { kind: 'ok', token: { token, renewable: false } };
      if (response.kind !== 'ok') return refusedLogin('token', 'token', response);
      const data = own(response.body, 'data');
      const ttl = seconds(memberOf(data, 'ttl'));
      const renewable = memberOf(data, 'renewable') === true;
      return { kind: 'ok', token: { token, renewable, lifetimeMs: ttl === 0 ? undefined : ttl * 1000 } };
    },
  };
}

type Presents = () => Promise<Readonly<Record<string, string | Secret>> | ReadFailure>;

/**
 * POST auth/<path>/login, the form that all login methods share.
 * @param name for people, such as `AppRole`
 */
function roleLogin(name: string, path: string, presents: Presents, { send }: LoginOptions): VaultLogin {
  return {
    makesTokens: true,
    run: async () => {
      const body = await presents();
      if (isFailure(body)) return body;
      const response = await send({ method: 'POST', path: `auth/${encodeURI(path)}/login`, body });
      if (response.kind !== 'ok') return refusedLogin(name, path, response);
      const token = tokenOf(response.body);
      if (token !== undefined) return { kind: 'ok', token };
      const problem = `could not be read: Vault's response to the ${name} login contains no token`;
      return { kind: 'refused', problem, fix: 'Check VAULT_AUTH_PATH, and that the role requires no second factor' };
    },
  };
}

const isFailure = (value: Readonly<Record<string, string | Secret>> | ReadFailure): value is ReadFailure =>
  'problem' in value;

const authPathPattern = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;

/** The one login that the `VAULT_…` variables describe; undefined after reporting none, two or an incomplete one. */
export function readVaultLogin(options: LoginOptions): VaultLogin | undefined {
  const { raw, fromFile, report } = options.settings;
  const token = fromFile('VAULT_TOKEN');
  const secretId = fromFile('VAULT_SECRET_ID');
  const roleId = raw('VAULT_ROLE_ID');
  const k8sRole = raw('VAULT_K8S_ROLE');
  const jwtRole = raw('VAULT_JWT_ROLE');
  const jwtFile = raw('VAULT_JWT_FILE');
  const methods = [
    ...((raw('VAULT_TOKEN') ?? raw('VAULT_TOKEN_FILE')) ? ['VAULT_TOKEN'] : []),
    ...(roleId === undefined ? [] : ['VAULT_ROLE_ID']),
    ...(k8sRole === undefined ? [] : ['VAULT_K8S_ROLE']),
    ...(jwtRole === undefined ? [] : ['VAULT_JWT_ROLE']),
  ];
  const [method, second] = methods;
  if (method === undefined) {
    const fix = 'Set one of VAULT_TOKEN_FILE, VAULT_ROLE_ID, VAULT_K8S_ROLE and VAULT_JWT_ROLE';
    return report('VAULT_TOKEN', 'is not set, and no other login to Vault is', fix);
  }
  if (second !== undefined) return report(second, `is set, and ${method} too`, 'Keep exactly one login to Vault');
  if (method !== 'VAULT_ROLE_ID' && secretId !== undefined) {
    return report('VAULT_SECRET_ID', 'is set without VAULT_ROLE_ID', 'Set both for AppRole, or neither');
  }
  const authPath = raw('VAULT_AUTH_PATH')?.replace(/^auth\/|\/+$/g, '');
  if (authPath !== undefined && !authPathPattern.test(authPath)) {
    return report('VAULT_AUTH_PATH', 'is not the path of a login method', 'Write it as approle or team/approle');
  }

  // A token that is set but cannot be used was reported by fromFile.
  if (method === 'VAULT_TOKEN') return token === undefined ? undefined : tokenLogin(token, options);
  if (roleId !== undefined) {
    const presents: Presents = async () => {
      if (secretId === undefined) return { role_id: roleId };
      const presented = await current(secretId, options);
      return 'kind' in presented ? presented : { role_id: roleId, secret_id: presented.value };
    };
    return roleLogin('AppRole', authPath ?? 'approle', presents, options);
  }
  if (jwtRole !== undefined && jwtFile === undefined) {
    return report('VAULT_JWT_FILE', 'is not set', 'Set it to the file of the JWT that VAULT_JWT_ROLE logs in with');
  }
  const role = jwtRole ?? k8sRole ?? '';
  const presents: Presents = async () => {
    const presented = await readSecretFile('VAULT_JWT_FILE', jwtFile ?? serviceAccountToken, options.readFile);
    return 'kind' in presented ? presented : { role, jwt: presented.value };
  };
  return jwtRole === undefined
    ? roleLogin('Kubernetes', authPath ?? 'kubernetes', presents, options)
    : roleLogin('JWT', authPath ?? 'jwt', presents, options);
}
