// Reads the address and certificates of Vault from the variables of Vault's own client. TLS is always verified.
import { unreadableFile } from '../../problem.ts';
import type { ReadFileAsync } from '../../file-reader.ts';
import { isLoopback } from '../../trusted-url.ts';
import type { StoreSettings } from '../secret-store.ts';

export interface VaultAddress {
  readonly origin: string;
  /** Without a slash at its end; usually empty. */
  readonly pathPrefix: string;
  readonly namespace?: string | undefined;
  /** File of PEM certificates; without it, the authorities that Node trusts. */
  readonly caFile?: string | undefined;
}

/** Without control characters and spaces, which no header may hold. */
const namespacePattern = /^[\x21-\x7E]{1,256}$/;

/** Reads `VAULT_ADDR` and its companions; undefined after reporting what is wrong. */
export function readVaultAddress(settings: StoreSettings): VaultAddress | undefined {
  const { raw, report } = settings;
  if (/^(1|t|true)$/i.test(raw('VAULT_SKIP_VERIFY') ?? '')) {
    return report('VAULT_SKIP_VERIFY', 'would disable the verification of certificates', 'Set VAULT_CACERT instead');
  }
  const text = raw('VAULT_ADDR');
  if (text === undefined) return report('VAULT_ADDR', 'is not set', 'Set it, such as https://vault.example.com:8200');
  const url = URL.parse(text);
  const fix = 'Write it as https://vault.example.com:8200';
  if (url === null || !/^https?:$/.test(url.protocol)) return report('VAULT_ADDR', 'is not an https URL', fix);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return report('VAULT_ADDR', 'has credentials, a query or a fragment', fix);
  }
  if (url.protocol === 'http:' && !isLoopback(url)) {
    return report('VAULT_ADDR', 'is http: secrets would cross the network in clear text', 'Use https');
  }
  const pathPrefix = url.pathname.replace(/\/+$/, '');
  if (/\/v1$/.test(pathPrefix)) return report('VAULT_ADDR', 'ends in /v1', 'Leave /v1 out; it is added');

  const namespace = raw('VAULT_NAMESPACE')?.replace(/^\/+|\/+$/g, '');
  if (namespace !== undefined && !namespacePattern.test(namespace)) {
    return report('VAULT_NAMESPACE', 'is not the name of a namespace', 'Write it as team or team/project');
  }
  const caFile = raw('VAULT_CACERT');
  return {
    origin: url.origin,
    pathPrefix,
    namespace,
    caFile,
  };
}

/** The trusted CA certificates, read for every connection because they may be replaced; or the problem. */
export async function readCertificates(
  { caFile }: VaultAddress,
  readFile: ReadFileAsync,
): Promise<{ readonly ca?: string } | string> {
  if (caFile === undefined) return {};
  let ca: string;
  try {
    ca = (await readFile(caFile)).toString('latin1');
  } catch (error) {
    return `VAULT_CACERT names a file that ${unreadableFile(error).problem}`;
  }
  return ca.includes('-----BEGIN CERTIFICATE-----') ? { ca } : 'VAULT_CACERT names a file without PEM certificates';
}
