import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { defaultPublicKeyAlgorithms, type Algorithm } from '../../../../src/authn/keys/algorithms.ts';
import { createKeyRing } from '../../../../src/authn/keys/verification-keys.ts';
import { loadJwk } from '../../../../src/authn/keys/pem-and-jwk.ts';
import { loadPublicKeys } from '../../../../src/authn/keys/public-key-text.ts';
import { nameFailure, nameSentence } from '../../../support/sentences/name-sentence.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const jwk = (key: KeyObject, more: object = {}): Record<string, unknown> => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const load = (text: string, wanted: readonly Algorithm[] = defaultPublicKeyAlgorithms) =>
  createKeyRing(
    loadPublicKeys(text, wanted).map((key) => ({
      ...key,
      verify: () => undefined,
    })),
  );
const set = (...keys: unknown[]): string => JSON.stringify({ keys });

describe('a public key in PEM', () => {
  it.each([
    ['RSA', rsa.publicKey, 'RS256'],
    ['P-256', p256.publicKey, 'ES256'],
    ['P-384', p384.publicKey, 'ES384'],
    ['P-521', p521.publicKey, 'ES512'],
    ['Ed25519', ed25519.publicKey, 'EdDSA'],
  ] as const)('of %s verifies %3$s only, by default', (_title, key, algorithm) => {
    const ring = load(pem(key));
    expect(defaultPublicKeyAlgorithms.filter((name) => ring.candidates(undefined, name).length > 0)).toEqual([
      algorithm,
    ]);
    expect(ring.candidates('any-kid', algorithm)).toHaveLength(1);
  });

  it('may be one of at most eight blocks, because a token may be checked with each', () => {
    const block = (): string => pem(generateKeyPairSync('ed25519').publicKey);
    const nine = Array.from({ length: 9 }, block);
    expect(load(nine.slice(1).join('')).keys).toHaveLength(8);
    expect(nameFailure(() => load(nine.join('')))).toBe('tooManyKeys(8)');
  });

  it('of RSA verifies the configured RSA algorithms only', () => {
    const ring = load(pem(rsa.publicKey), ['PS256', 'RS512', 'ES256']);
    expect(ring.candidates(undefined, 'PS256')).toHaveLength(1);
    expect(ring.candidates(undefined, 'RS512')).toHaveLength(1);
    expect(ring.candidates(undefined, 'RS256')).toHaveLength(0);
    expect(ring.candidates(undefined, 'ES256')).toHaveLength(0);
  });

  it('is the same key in PKCS#1 form, with CRLF, or with blank lines', () => {
    const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    for (const text of [pkcs1, pem(rsa.publicKey).replaceAll('\n', '\r\n'), `\n\n${pem(rsa.publicKey)}  `]) {
      expect(load(text).candidates(undefined, 'RS256')[0]?.material.equals(rsa.publicKey)).toBe(true);
    }
  });

  it('may be followed by other keys', () => {
    expect(load(pem(rsa.publicKey) + pem(p256.publicKey)).keys).toHaveLength(2);
    expect(nameFailure(() => load(pem(p256.publicKey).repeat(9)))).toBe('tooManyKeys(8)');
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 2047 });
  const exponentOne = createPublicKey({
    key: { ...rsa.publicKey.export({ format: 'jwk' }), e: 'AQ' },
    format: 'jwk',
  });
  const evenExponent = createPublicKey({
    key: { ...rsa.publicKey.export({ format: 'jwk' }), e: 'AQAA' },
    format: 'jwk',
  });
  const huge = createPublicKey({
    key: {
      kty: 'RSA',
      e: 'AQAB',
      n: Buffer.alloc(1025, 0xff).toString('base64url'),
    },
    format: 'jwk',
  });

  it.each([
    ['a private key', p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'privateKeyBlock'],
    ['an EC private key', p256.privateKey.export({ type: 'sec1', format: 'pem' }).toString(), 'privateKeyBlock'],
    ['an RSA private key', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), 'privateKeyBlock'],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----', 'certificateBlock'],
    ['another block', '-----BEGIN EC PARAMETERS-----\nMIIB\n-----END EC PARAMETERS-----', 'otherBlock'],
    [
      'a public key and a private one',
      pem(p256.publicKey) + p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'privateKeyBlock',
    ],
    ['RSA under 2048 bits', pem(weak.publicKey), 'rsaTooShort(2048)'],
    ['RSA over 8192 bits', pem(huge), 'rsaTooLong(8192)'],
    ['RSA with exponent 1', pem(exponentOne), 'rsaExponent'],
    ['RSA with an even exponent', pem(evenExponent), 'rsaExponent'],
    ['RSA for PSS only', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), 'keyTypeUnsupported'],
    ['secp256k1', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), 'keyTypeUnsupported'],
    ['brainpool', pem(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey), 'keyTypeUnsupported'],
    ['Ed448', pem(generateKeyPairSync('ed448').publicKey), 'keyTypeUnsupported'],
    ['X25519', pem(generateKeyPairSync('x25519').publicKey), 'keyTypeUnsupported'],
    ['a broken body', pem(p256.publicKey).replace('MFkw', 'AAAA'), 'keyUnreadable'],
    ['text before it', `key:\n${pem(p256.publicKey)}`, 'notKeyText'],
    ['text after it', `${pem(p256.publicKey)}x`, 'notKeyText'],
    ['a header in mixed case', pem(p256.publicKey).replaceAll('PUBLIC KEY', 'Public Key'), 'notKeyText'],
    ['a header of another kind at its end', pem(p256.publicKey).replace('END PUBLIC', 'END RSA PUBLIC'), 'notKeyText'],
    ['written-out line breaks', pem(p256.publicKey).replaceAll('\n', '\\n'), 'notKeyText'],
    ['bare base64', p256.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), 'notKeyText'],
    ['an empty text', ' ', 'notKeyText'],
    ['a word', 'secret', 'notKeyText'],
  ])('refuses %s', (_title, text, problem) => {
    expect(nameFailure(() => load(text))).toBe(problem);
  });

  it('must fit one of the configured algorithms', () => {
    expect(nameFailure(() => load(pem(p256.publicKey), ['RS256']))).toBe('cannotVerify');
  });

  it('that is not a point on its curve is refused', () => {
    const key = p256.publicKey.export({ type: 'spki', format: 'der' });
    key.writeUInt8(key.readUInt8(key.length - 1) ^ 1, key.length - 1);
    const text = `-----BEGIN PUBLIC KEY-----\n${key.toString('base64')}\n-----END PUBLIC KEY-----\n`;
    expect(nameFailure(() => load(text))).toBe('keyUnreadable');
  });
});

describe('a JWK set document', () => {
  it('may have a kid of 256 characters', () => {
    const kid = 'k'.repeat(256);
    expect(load(set(jwk(p256.publicKey, { kid }))).candidates(kid, 'ES256')).toHaveLength(1);
  });

  it('returns keys by kid, each with its own algorithm', () => {
    const ring = load(
      set(jwk(rsa.publicKey, { kid: 'r' }), jwk(p256.publicKey, { kid: 'e', use: 'sig', alg: 'ES256' })),
    );
    expect(ring.candidates('r', 'RS256')).toHaveLength(1);
    expect(ring.candidates('e', 'ES256')).toHaveLength(1);
    expect(ring.candidates('e', 'RS256')).toHaveLength(0);
    expect(ring.candidates('unknown', 'RS256')).toHaveLength(0);
    expect(ring.hasKid('unknown')).toBe(false);
    expect(ring.candidates(undefined, 'RS256')).toHaveLength(1);
  });

  it('restricts a key to its alg', () => {
    const ring = load(set(jwk(rsa.publicKey, { kid: 'r', alg: 'PS256' })), ['RS256', 'PS256']);
    expect(ring.candidates('r', 'PS256')).toHaveLength(1);
    expect(ring.candidates('r', 'RS256')).toHaveLength(0);
    expect(load(set(jwk(ed25519.publicKey, { kid: 'd', alg: 'Ed25519' }))).candidates('d', 'EdDSA')).toHaveLength(1);
  });

  it('skips keys with another use, operation or algorithm', () => {
    const rest = [
      jwk(p256.publicKey, { kid: '1', use: 'enc' }),
      jwk(p256.publicKey, { kid: '2', key_ops: ['deriveKey'] }),
      jwk(p256.publicKey, { kid: '3', alg: 'ECDH-ES' }),
      jwk(p256.publicKey, { kid: '4', alg: 'RS256' }),
      jwk(p256.publicKey, { kid: '5', use: null }),
      jwk(p256.publicKey, { kid: '6', key_ops: 'verify' }),
    ];
    expect(load(set(...rest, jwk(p256.publicKey, { kid: 'ok', key_ops: ['sign', 'verify'] }))).keys).toHaveLength(1);
    expect(nameFailure(() => load(set(...rest)))).toMatch(/^noKeyBecause\(.*key 1 \(kid 1\)/);
  });

  it.each([
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }, 'symmetricKey(key 2)'],
    ['a private EC key', jwk(p256.privateKey), 'privateMembers(key 2)'],
    ['a private RSA key', jwk(rsa.privateKey), 'privateMembers(key 2)'],
    ['a private Ed25519 key', jwk(ed25519.privateKey), 'privateMembers(key 2)'],
    ['an RSA key with one private member', jwk(rsa.publicKey, { qi: 'AA' }), 'privateMembers(key 2)'],
    ['a public key with a symmetric member', jwk(rsa.publicKey, { k: 'AA' }), 'privateMembers(key 2)'],
    ['a kid that is a number', jwk(p256.publicKey, { kid: 1 }), 'kidNotString(key 2 (kid 1))'],
    ['a kid that is null', jwk(p256.publicKey, { kid: null }), 'kidNotString(key 2 (kid null))'],
    [
      'a kid of 257 characters',
      jwk(p256.publicKey, { kid: 'k'.repeat(257) }),
      `kidTooLong(key 2 (kid ${'k'.repeat(120)}…), 256)`,
    ],
    ['an unknown type', { kty: 'AKP', pub: 'AA' }, 'ktyUnsupported(key 2, AKP)'],
    ['no type', { n: 'AA', e: 'AQAB' }, 'ktyUnsupported(key 2, nothing)'],
    ['a type from a prototype', { kty: 'constructor' }, 'ktyUnsupported(key 2, constructor)'],
    ['an RSA key without modulus', { kty: 'RSA', e: 'AQAB' }, 'jwkMemberUnusable(key 2, n)'],
    ['an RSA key with a number for exponent', { ...jwk(rsa.publicKey), e: 65537 }, 'jwkMemberUnusable(key 2, e)'],
    [
      'a modulus in plain base64',
      { ...jwk(rsa.publicKey), n: `+/${String(jwk(rsa.publicKey)['n'])}` },
      'jwkMemberNotBase64url(key 2, n)',
    ],
    ['an EC key without y', { ...jwk(p256.publicKey), y: undefined }, 'jwkMemberUnusable(key 2, y)'],
    [
      'an EC key off its curve',
      { ...jwk(p256.publicKey), y: jwk(p256.publicKey)['x'] },
      'jwkUnreadableOnCurve(key 2, EC, P-256)',
    ],
    ['an EC key of another curve', { ...jwk(p256.publicKey), crv: 'P-384' }, 'jwkUnreadableOnCurve(key 2, EC, P-384)'],
    ['an EC key without curve', { ...jwk(p256.publicKey), crv: undefined }, 'jwkUnreadableOnCurve(key 2, EC, nothing)'],
    ['Ed448', jwk(generateKeyPairSync('ed448').publicKey), 'keyTypeUnsupported(key 2)'],
    ['X25519', jwk(generateKeyPairSync('x25519').publicKey), 'keyTypeUnsupported(key 2)'],
    ['a weak RSA key', jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), 'rsaTooShort(key 2, 2048)'],
    ['a string', 'key', 'jwkNotObject(key 2)'],
    ['a list', [], 'jwkNotObject(key 2)'],
    ['null', null, 'jwkNotObject(key 2)'],
  ])('refuses %s', (_title, key, problem) => {
    expect(nameFailure(() => load(set(jwk(p384.publicKey, { kid: 'good' }), key)))).toBe(`unusableKey(${problem})`);
  });

  it.each([
    ['no keys', '{"keys":[]}', 'noKeyForAlgorithms'],
    ['no list', '{"keys":{}}', 'setWithoutKeys'],
    ['a single JWK', JSON.stringify(jwk(p256.publicKey)), 'singleJwk'],
    ['keys on the prototype', '{"__proto__":{"keys":[]}}', 'setWithoutKeys'],
    ['a duplicate member', '{"keys":[],"keys":[]}', 'jsonDuplicate'],
    ['broken JSON', '{"keys":[', 'notJson'],
    ['100 keys, none of them usable', `{"keys":[${'1,'.repeat(99)}1]}`, 'unusableKey(jwkNotObject(key 1))'],
    ['more than 100 keys', `{"keys":[${'1,'.repeat(100)}1]}`, 'tooManyKeys(100)'],
  ])('with %s is refused', (_title, text, problem) => {
    expect(nameFailure(() => load(text))).toBe(problem);
  });

  it('may repeat a kid: equal keys are joined after keys for other uses are skipped', () => {
    const both = load(
      set(
        jwk(rsa.publicKey, { kid: 'a', alg: 'RS256' }),
        jwk(rsa.publicKey, { kid: 'a', alg: 'RS512' }),
        jwk(rsa.publicKey, { kid: 'a', use: 'enc' }),
        jwk(p384.publicKey, { kid: 'a' }),
        jwk(p256.publicKey, { kid: 'a', alg: 'ECDH-ES' }),
      ),
      ['RS256', 'RS512', 'ES256', 'ES384'],
    );
    expect(both.keys.map(({ kid, algorithms }) => [kid, algorithms])).toEqual([
      ['a', ['RS256', 'RS512']],
      ['a', ['ES384']],
    ]);
  });

  it('may have two different keys with one kid and algorithm, and one key with two kids', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const ring = load(set(jwk(p256.publicKey, { kid: 'a' }), jwk(other, { kid: 'a' }), jwk(other, { kid: 'b' })));
    expect(ring.candidates('a', 'ES256')).toHaveLength(2);
    expect(ring.candidates('b', 'ES256')).toHaveLength(1);
  });

  it('may start with a byte order mark', () => {
    expect(load(`\uFEFF${set(jwk(p256.publicKey))}`).keys).toHaveLength(1);
    expect(load(`\uFEFF${pem(p256.publicKey)}`).keys).toHaveLength(1);
  });

  it('reports why no key fits the configured algorithms', () => {
    const otherAlgorithm = set(jwk(rsa.publicKey, { kid: 'a', alg: 'RS384' }));
    expect(nameFailure(() => load(otherAlgorithm))).toBe(
      `noKeyBecause(keyForOtherAlgorithm(key 1 (kid a), RS384, ${defaultPublicKeyAlgorithms.join(', ')}))`,
    );
    expect(nameFailure(() => load(set(jwk(p384.publicKey)), ['RS256']))).toBe(
      'noKeyBecause(keyNotForConfigured(key 1, ES384, RS256))',
    );
  });

  it('may have several keys without a kid', () => {
    expect(load(set(jwk(p256.publicKey), jwk(p384.publicKey))).keys).toHaveLength(2);
  });

  it('names an unusable key by its position and printable kid', () => {
    expect(nameFailure(() => load(set({ kty: 'oct', kid: 'a-kid' })))).toBe(
      'unusableKey(symmetricKey(key 1 (kid a-kid)))',
    );
    expect(nameFailure(() => load(set({ kty: 'oct', kid: 'a\nkid' })))).toBe(
      'unusableKey(symmetricKey(key 1 (kid a\uFFFDkid)))',
    );
  });
});

describe('a JWK', () => {
  /** An odd number of that many bits; the test needs no real key. */
  const rsaOf = (bits: number, e = 'AQAB'): Record<string, unknown> => {
    const n = randomBytes(Math.ceil(bits / 8));
    n.writeUInt8(2 ** ((bits - 1) % 8), 0);
    n.writeUInt8(n.readUInt8(n.length - 1) | 1, n.length - 1);
    return { kty: 'RSA', n: n.toString('base64url'), e };
  };

  it('of RSA needs 2048 to 8192 bits, and an odd exponent from 3 to 2^32', () => {
    for (const good of [rsaOf(2048), rsaOf(8192), rsaOf(2048, 'Aw'), rsaOf(2048, '_____w')]) {
      expect(loadJwk(good, ['RS256'])).toMatchObject({ algorithms: ['RS256'] });
    }
    expect(nameFailure(() => loadJwk(rsaOf(2047), ['RS256']))).toBe('rsaTooShort(2048)');
    expect(nameFailure(() => loadJwk(rsaOf(8193), ['RS256']))).toBe('rsaTooLong(8192)');
    for (const e of ['AQ', 'Ag', 'AQAA', 'AQAAAAE', '_______w']) {
      expect(nameFailure(() => loadJwk(rsaOf(2048, e), ['RS256']))).toBe('rsaExponent');
    }
  });

  it('must have numbers in base64url, with no other characters', () => {
    const { n } = rsaOf(2048);
    for (const odd of [`${String(n)}=`, `${String(n)}!`, ` ${String(n)}`, `${String(n)}\n`, '', 1]) {
      expect(nameFailure(() => loadJwk({ kty: 'RSA', n: odd, e: 'AQAB' }, ['RS256']))).toMatch(/^jwkMember\w+\(n\)$/);
    }
  });

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'with the member %s is refused, because it is not a public key',
    (member) => {
      expect(nameFailure(() => loadJwk(jwk(p256.publicKey, { [member]: 'AA' }), ['ES256']))).toBe('privateMembers');
    },
  );

  it('is skipped when key_ops does not include verify', () => {
    expect(loadJwk(jwk(p256.publicKey, { key_ops: [] }), ['ES256'])).toSatisfy(
      (left) => nameSentence(left as string) === 'keyWithoutVerify',
    );
    expect(loadJwk(jwk(p256.publicKey), ['ES256'])).toMatchObject({
      algorithms: ['ES256'],
    });
  });

  it('without a kid has the kid undefined', () => {
    expect(loadJwk(jwk(p256.publicKey), ['ES256'])).toHaveProperty('kid', undefined);
    expect(loadJwk(jwk(p256.publicKey, { kid: '' }), ['ES256'])).toHaveProperty('kid', '');
  });
});
