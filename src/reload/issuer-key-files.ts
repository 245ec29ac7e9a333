// Key files of issuers, watched: a changed JWT_SECRET_FILE or JWT_PUBLIC_KEY_FILE is taken into use, a bad one is not.
// JWT_ISSUERS_FILE itself is read at the start only; a change of it is reported, as it has no effect yet.
import type { Authenticator } from '../authn/authenticate.ts';
import type { IssuerKeyFile } from '../authn/issuers-file.ts';
import type { ReadFileAsync } from '../file-reader.ts';
import { watchFile, type ReloadOutcome, type WatchedFile } from '../watched-file.ts';
import { secretText } from '../secrets/secret-setting.ts';
import { Secret } from '../secrets/secret.ts';

interface IssuerKeyFilesOptions {
  readonly keyFiles: readonly IssuerKeyFile[];
  readonly issuersFile: { readonly path: string; readonly content: Buffer } | undefined;
  readonly replaceKeys: Authenticator['replaceKeys'];
  /** Refuses a new key that is something else already, by throwing. */
  readonly accept: (key: Secret) => void;
  /** Changes whenever `accept` or `replaceKeys` may judge differently. */
  readonly judgedBy: () => string;
  readonly readFile: ReadFileAsync;
  readonly pollIntervalMs: number;
  readonly onReload: (setting: string, outcome: Exclude<ReloadOutcome, { kind: 'unchanged' }>) => void;
}

function watchIssuersFile(options: IssuerKeyFilesOptions): readonly WatchedFile[] {
  const { issuersFile, readFile, pollIntervalMs, onReload } = options;
  if (issuersFile === undefined) return [];
  const file = watchFile({
    path: issuersFile.path,
    readFile,
    initial: issuersFile.content,
    intervalMs: pollIntervalMs,
    accept: () => {
      throw new Error('has changed; restart the service to take it into use (key files that it names need no restart)');
    },
    onOutcome: (outcome) => onReload('JWT_ISSUERS_FILE', outcome),
  });
  return [file];
}

export function watchIssuerKeyFiles(options: IssuerKeyFilesOptions): readonly WatchedFile[] {
  const keyFiles = options.keyFiles.flatMap(({ iss, setting: { name, file } }) => {
    if (file === undefined) return [];
    return watchFile({
      path: file.path,
      readFile: options.readFile,
      initial: file.content,
      intervalMs: options.pollIntervalMs,
      judgedBy: options.judgedBy,
      accept: (content) => {
        const text = secretText(content);
        for (const line of text.split(/\r?\n/)) options.accept(new Secret(line));
        options.replaceKeys(iss, text);
      },
      onOutcome: (outcome) => options.onReload(name, outcome),
    });
  });
  return [...keyFiles, ...watchIssuersFile(options)];
}
