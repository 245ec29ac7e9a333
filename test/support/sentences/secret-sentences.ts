// The sentences of src/secrets.

export const secretSentences = {
  secretNoField: '{} has no such field',
  secretNotString: '{} is not a string',
  secretNotJson: '{} is not a JSON object',
  referenceNamesNoField: '{} names no field',
  notVaultPath: '{} is not a path in Vault',
  secretDeleted: '{} was deleted in Vault',
  secretUnknown: '{} does not exist (404)',
  secretForbidden: '{} may not be read with this login ({})',
  secretUnread: '{} could not be read: {}',
  vaultLoginRefused: 'Vault refused the AppRole login at {} ({})',
  vaultUnreachable: 'Vault could not be reached ({})',
  vaultUntrusted: "Vault's certificate could not be verified ({})",
  caWithoutCertificates: '{} names a file without PEM certificates',
  vaultSealed: 'Vault is sealed',
  sameAsJwtSecret: '{} is the same as the JWT secret',
  sameAsApiKey: '{} is the same as an API key',
  packageMissing: 'needs the package {}, which is not installed',
} as const;
