// The sentences of src/authn.

export const authnSentences = {
  // Problems of a public key, or of a key in a set.
  keyTypeUnsupported: '{} is of a type or curve that is not supported',
  ktyUnsupported: '{} is of kty {}, which is not supported',
  rsaTooShort: '{} is an RSA key of fewer than {} bits',
  rsaTooLong: '{} is an RSA key of more than {} bits',
  rsaExponent: '{} is an RSA key with an unusable exponent',
  keyUnreadable: '{} is not a readable public key',
  jwkUnreadable: '{} is not a readable {} key',
  jwkUnreadableOnCurve: '{} is not a readable {} key on curve {}',
  jwkMemberUnusable: '{} has no usable {}',
  jwkMemberNotBase64url: '{} has no usable {}: it must be base64url',
  jwkMemberBase64: '{} has no usable {}: it must be base64url, not base64',
  kidNotString: '{} has a kid that is not a string',
  kidTooLong: '{} has a kid of more than {} characters',
  symmetricKey: '{} is a symmetric key',
  privateMembers: '{} has private members',
  jwkNotObject: '{} is not an object',
  cannotVerify: '{} cannot verify any of the configured algorithms',

  // Other purposes of a key in a set.
  keyForOtherUse: '{} has use {}, not sig',
  keyWithoutVerify: '{} has key_ops without verify',
  keyForOtherAlgorithm: '{} has alg {}; the configured algorithms are {}',
  keyNotForConfigured: '{} is a key for {}, but configured are {}',

  // Problems of a text with public keys.
  privateKeyBlock: '{} contains a private key; set the public key only',
  certificateBlock: '{} contains a certificate; set its public key (openssl x509 -pubkey -noout)',
  otherBlock: '{} contains a PEM block that is not a public key',
  notKeyText: '{} must be PEM blocks without other text, or a JWK set',
  tooManyKeys: '{} contains more than {} keys',
  unusableKey: '{} contains a key that cannot be used: {}',
  noKeyForAlgorithms: '{} contains no key for any of the configured algorithms',
  noKeyBecause: '{} contains no key for any of the configured algorithms; {}',
  singleJwk: '{} is not a JWK set: it is a single JWK, without a list of "keys"',
  setWithoutKeys: '{} is not a JWK set: it has no list of "keys"',

  jsonDuplicate: '{} has a duplicate member',
  notJson: '{} is not JSON in UTF-8',

  // Problems of an HMAC secret.
  keyOfPair: '{} is a key of a public-key pair, not a secret',
  publishedSecret: '{} is a published example',
  repeatedCharacter: '{} is one repeated character',
  emptyLine: '{} has an empty line',
  keyWithBlanks: '{} has white space at the start or end of a key',
  keyWithComma: '{} has a comma; write one key per line',
  notUtf8: '{} is not UTF-8 text',
  notEncoded: '{} is not valid {}, the configured encoding',
  secretTooShort: '{} is shorter than the {} bytes that {} needs',
  tooLong: '{} is longer than {} characters',

  // Problems of the settings of an issuer.
  settingEmpty: '{} is empty',
  algorithmUnsupported: '{} names an algorithm that is not supported',
  algorithmsMixed: '{} mixes HMAC (HS…) with public-key algorithms',
  publicAlgorithmsForSecret: '{} names public-key algorithms, but the key is an HMAC secret',
  hmacForPublicKey: '{} names HMAC algorithms, but the key is public',
  notHttps: '{} is not an https address',
  noKeySource: '{} is not an https address, and no key source is set',

  // Problems of a list of issuers.
  notIssuers: '{} must be a list of issuers',
  notIssuer: '{} must be an issuer, with its members',
  notIssuerMember: '{} is not a member of an issuer',
  issuerMemberMissing: '{} is missing',
  memberNotBoolean: '{} must be true or false',
  outOfRange: '{} is out of range or not a whole number',
  besideOther: '{} is set together with {}',
  fileUnreadable: '{} names a file that cannot be read ({})',
  fileUnusable: '{} names a file that {}',
  issuerRepeated: '{} repeats the issuer of an earlier entry',
  secretRepeated: '{} is the secret of an earlier entry too',
  secretOfOtherIssuer: 'is also the secret of another issuer',
  encodingOfNoSecret: '{} is set, but the key is not a secret',
  encodingUnknown: '{} is unknown',
  missingIssuerForSeveral: '{} is true, but with several issuers a token without iss has no known issuer',

  // Why keys that changed while the service runs are refused.
  noConfiguredKeys: 'this issuer has no configured keys',
  issuersChanged: 'has changed; restart the service to apply it (key files that it names need no restart)',
  jwksUriLoopback: 'jwks_uri is a loopback address, but the issuer is not',

  // What is wrong with JSON.
  jsonLoneSurrogate: 'contains a lone surrogate',
  jsonNumberTooLarge: 'contains a number that is too large',
  jsonTooDeep: 'is nested too deeply',
} as const;
