// Watches the issuers' keys in files and stores: a changed JWT_SECRET_FILE or JWT_PUBLIC_KEY_VAULT is applied, a bad
// one is refused. JWT_ISSUERS_FILE itself is only read at the start; a change is logged.
import type { Authenticator } from '../authn/authenticator.ts';
import type { IssuerKeyFile } from '../authn/issuers-file.ts';
import type { VerificationKey } from '../authn/keys/verification-keys.ts';
import { watchSecret, type SecretPolling, type WatchedSecret } from '../secrets/watched-secret.ts';
import { watchFile } from '../watched-file.ts';

interface WatchIssuerKeysOptions {
  readonly keyFiles: readonly IssuerKeyFile[];
  readonly issuersFile: { readonly path: string; readonly content: Buffer } | undefined;
  readonly replaceKeys: Authenticator['replaceKeys'];
  /** Throws if one of the new keys is already used for something else. */
  readonly accept: (next: readonly VerificationKey[]) => void;
  readonly polling: SecretPolling;
}

function watchIssuersFile({ issuersFile, polling }: WatchIssuerKeysOptions): readonly WatchedSecret[] {
  if (issuersFile === undefined) return [];
  const file = watchFile({
    path: issuersFile.path,
    readFile: polling.readFile,
    initial: issuersFile.content,
    intervalMs: polling.fileIntervalMs,
    accept: () => {
      throw new Error('has changed; restart the service to apply it (key files that it names need no restart)');
    },
    onOutcome: (outcome) => polling.onReload('JWT_ISSUERS_FILE', outcome),
  });
  return [{ reload: async () => void (await file.reload()), close: file.close }];
}

export function watchIssuerKeys(options: WatchIssuerKeysOptions): readonly WatchedSecret[] {
  const keys = options.keyFiles.flatMap(({ iss, setting }) => {
    const watched = watchSecret({
      setting,
      polling: options.polling,
      accept: async (text) => {
        await options.replaceKeys(iss, text, options.accept);
      },
    });
    return watched === undefined ? [] : [watched];
  });
  return [...keys, ...watchIssuersFile(options)];
}
