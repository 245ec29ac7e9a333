// Keys of issuers in files and stores, watched: a changed JWT_SECRET_FILE or JWT_PUBLIC_KEY_VAULT is taken into use, a
// bad one is not. JWT_ISSUERS_FILE itself is read at the start only; a change of it is logged as having no effect yet.
import type { Authenticator } from '../authn/authenticate.ts';
import type { IssuerKeyFile } from '../authn/issuers-file.ts';
import type { VerificationKey } from '../authn/keys/verification-key.ts';
import { watchSecret, type SecretWatch, type WatchedSecret } from '../secrets/watch-secret.ts';
import { watchFile } from '../watched-file.ts';

interface IssuerKeyFilesOptions {
  readonly keyFiles: readonly IssuerKeyFile[];
  readonly issuersFile: { readonly path: string; readonly content: Buffer } | undefined;
  readonly replaceKeys: Authenticator['replaceKeys'];
  /** Refuses new keys of which one is something else already, by throwing. */
  readonly accept: (next: readonly VerificationKey[]) => void;
  readonly watch: SecretWatch;
}

function watchIssuersFile({ issuersFile, watch }: IssuerKeyFilesOptions): readonly WatchedSecret[] {
  if (issuersFile === undefined) return [];
  const file = watchFile({
    path: issuersFile.path,
    readFile: watch.readFile,
    initial: issuersFile.content,
    intervalMs: watch.fileIntervalMs,
    accept: () => {
      throw new Error('has changed; restart the service to take it into use (key files that it names need no restart)');
    },
    onOutcome: (outcome) => watch.onReload('JWT_ISSUERS_FILE', outcome),
  });
  return [{ reload: async () => void (await file.reload()), close: file.close }];
}

export function watchIssuerKeyFiles(options: IssuerKeyFilesOptions): readonly WatchedSecret[] {
  const keys = options.keyFiles.flatMap(({ iss, setting }) => {
    const watched = watchSecret({
      setting,
      watch: options.watch,
      accept: async (text) => {
        await options.replaceKeys(iss, text, options.accept);
      },
    });
    return watched === undefined ? [] : [watched];
  });
  return [...keys, ...watchIssuersFile(options)];
}
