// The log messages that tests look for, by name. Only this table has their wording: a better sentence is a one-line
// change.

/** Text that the message contains. */
export const logMessages = {
  issued: 'guest token issued',
  refused: 'guest token refused',
  listening: 'listening',
  stopping: 'stopping',
  stopped: 'stopped',
  policyReloaded: 'the policy was reloaded',
  policyRefused: 'policy was refused',
  shadowDiffers: 'decides differently',
  secretReloaded: 'a secret was reloaded',
  secretFileRefused: 'a secret file was refused',
  storedSecretRefused: 'a secret from a store was refused',
  storedSecretUnreadable: 'a secret could not be read from its store',
  storedSecretReadable: 'a secret can be read again',
  loggedInToStore: 'logged in to the secret store',
  keysNotFetched: 'could not fetch the keys of the issuer',
  keysFetched: 'the keys of the issuer were fetched',
  redisInUse: 'Redis is in use',
  redisNotInUse: 'Redis is not in use',
  tracesNotExported: 'traces cannot be exported',
  tracesExported: 'traces are exported again',
  linesDropped: 'log lines were dropped',
  shadowFailed: 'the shadow policy could not be evaluated',
  tokenRefused: 'an access token was refused',
  outputClosed: 'standard output was closed',
} as const;

export type LogMessage = keyof typeof logMessages;
