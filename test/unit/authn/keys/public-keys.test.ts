import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { defaultPublicKeyAlgorithms, type Algorithm } from '../../../../src/authn/keys/algorithms.ts';
import { createKeyRing } from '../../../../src/authn/keys/key-ring.ts';
import { loadJwk } from '../../../../src/authn/keys/public-key.ts';
import { loadPublicKeys } from '../../../../src/authn/keys/public-keys.ts';
import { LoadProblem } from '../../../../src/problem.ts';

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
  createKeyRing(loadPublicKeys(text, wanted).map((key) => ({ ...key, verify: () => undefined })));
const set = (...keys: unknown[]): string => JSON.stringify({ keys });

describe('a public key in PEM', () => {
  it.each([
    ['RSA', rsa.publicKey, 'RS256'],
    ['P-256', p256.publicKey, 'ES256'],
    ['P-384', p384.publicKey, 'ES384'],
    ['P-521', p521.publicKey, 'ES512'],
    ['Ed25519', ed25519.publicKey, 'EdDSA'],
  ] as const)('of %s serves %3$s alone unless told', (_title, key, algorithm) => {
    const ring = load(pem(key));
    expect(defaultPublicKeyAlgorithms.filter((name) => ring.candidates(undefined, name).length > 0)).toEqual([
      algorithm,
    ]);
    expect(ring.candidates('any-kid', algorithm)).toHaveLength(1);
  });

  it('may be one of eight blocks, not of nine: a token may be tried against each', () => {
    const block = (): string => pem(generateKeyPairSync('ed25519').publicKey);
    const nine = Array.from({ length: 9 }, block);
    expect(load(nine.slice(1).join('')).keys).toHaveLength(8);
    expect(() => load(nine.join(''))).toThrow('holds more than 8 keys');
  });

  it('of RSA serves the RSA algorithms that are configured and no others', () => {
    const ring = load(pem(rsa.publicKey), ['PS256', 'RS512', 'ES256']);
    expect(ring.candidates(undefined, 'PS256')).toHaveLength(1);
    expect(ring.candidates(undefined, 'RS512')).toHaveLength(1);
    expect(ring.candidates(undefined, 'RS256')).toHaveLength(0);
    expect(ring.candidates(undefined, 'ES256')).toHaveLength(0);
  });

  it('is the same key whatever its form', () => {
    const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    for (const text of [pkcs1, pem(rsa.publicKey).replaceAll('\n', '\r\n'), `\n\n${pem(rsa.publicKey)}  `]) {
      expect(load(text).candidates(undefined, 'RS256')[0]?.material.equals(rsa.publicKey)).toBe(true);
    }
  });

  it('may stand beside others', () => {
    expect(load(pem(rsa.publicKey) + pem(p256.publicKey)).keys).toHaveLength(2);
    expect(() => load(pem(p256.publicKey).repeat(9))).toThrow(new LoadProblem('holds more than 8 keys'));
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 2047 });
  const exponentOne = createPublicKey({ key: { ...rsa.publicKey.export({ format: 'jwk' }), e: 'AQ' }, format: 'jwk' });
  const evenExponent = createPublicKey({
    key: { ...rsa.publicKey.export({ format: 'jwk' }), e: 'AQAA' },
    format: 'jwk',
  });
  const huge = createPublicKey({
    key: { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(1025, 0xff).toString('base64url') },
    format: 'jwk',
  });

  it.each([
    ['a private key', p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /private key/],
    ['an EC private key', p256.privateKey.export({ type: 'sec1', format: 'pem' }).toString(), /private key/],
    ['an RSA private key', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), /private key/],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----', /certificate/],
    ['another block', '-----BEGIN EC PARAMETERS-----\nMIIB\n-----END EC PARAMETERS-----', /not a public key/],
    [
      'a public key and a private one',
      pem(p256.publicKey) + p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      /private key/,
    ],
    ['RSA under 2048 bits', pem(weak.publicKey), /fewer than 2048 bits/],
    ['RSA over 8192 bits', pem(huge), /more than 8192 bits/],
    ['RSA with exponent 1', pem(exponentOne), /exponent/],
    ['RSA with an even exponent', pem(evenExponent), /exponent/],
    ['RSA for PSS only', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), /type or curve/],
    ['secp256k1', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), /type or curve/],
    ['brainpool', pem(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey), /type or curve/],
    ['Ed448', pem(generateKeyPairSync('ed448').publicKey), /type or curve/],
    ['X25519', pem(generateKeyPairSync('x25519').publicKey), /type or curve/],
    ['a broken body', pem(p256.publicKey).replace('MFkw', 'AAAA'), /not a readable public key/],
    ['text before it', `key:\n${pem(p256.publicKey)}`, /must be PEM blocks/],
    ['text after it', `${pem(p256.publicKey)}x`, /must be PEM blocks/],
    ['an odd-case header', pem(p256.publicKey).replaceAll('PUBLIC KEY', 'Public Key'), /must be PEM blocks/],
    [
      'a header of another kind at its end',
      pem(p256.publicKey).replace('END PUBLIC', 'END RSA PUBLIC'),
      /must be PEM blocks/,
    ],
    ['written-out line breaks', pem(p256.publicKey).replaceAll('\n', '\\n'), /must be PEM blocks/],
    ['bare base64', p256.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), /must be PEM blocks/],
    ['nothing', ' ', /must be PEM blocks/],
    ['a word', 'secret', /must be PEM blocks/],
  ])('refuses %s', (_title, text, message) => {
    expect(() => load(text)).toThrow(LoadProblem);
    expect(() => load(text)).toThrow(message);
  });

  it('must be able to serve what is configured', () => {
    expect(() => load(pem(p256.publicKey), ['RS256'])).toThrow(/cannot verify any/);
  });

  it('on no point of its curve is refused', () => {
    const key = p256.publicKey.export({ type: 'spki', format: 'der' });
    key.writeUInt8(key.readUInt8(key.length - 1) ^ 1, key.length - 1);
    const text = `-----BEGIN PUBLIC KEY-----\n${key.toString('base64')}\n-----END PUBLIC KEY-----\n`;
    expect(() => load(text)).toThrow(/not a readable public key/);
  });
});

describe('a JWK set document', () => {
  it('may have a kid of 256 characters', () => {
    const kid = 'k'.repeat(256);
    expect(load(set(jwk(p256.publicKey, { kid }))).candidates(kid, 'ES256')).toHaveLength(1);
  });

  it('gives keys by kid, each for its own algorithm', () => {
    const ring = load(
      set(jwk(rsa.publicKey, { kid: 'r' }), jwk(p256.publicKey, { kid: 'e', use: 'sig', alg: 'ES256' })),
    );
    expect(ring.candidates('r', 'RS256')).toHaveLength(1);
    expect(ring.candidates('e', 'ES256')).toHaveLength(1);
    expect(ring.candidates('e', 'RS256')).toHaveLength(0);
    expect(ring.candidates('unknown', 'RS256')).toHaveLength(0);
    expect(ring.names('unknown')).toBe(false);
    expect(ring.candidates(undefined, 'RS256')).toHaveLength(1);
  });

  it('with an alg narrows a key to it', () => {
    const ring = load(set(jwk(rsa.publicKey, { kid: 'r', alg: 'PS256' })), ['RS256', 'PS256']);
    expect(ring.candidates('r', 'PS256')).toHaveLength(1);
    expect(ring.candidates('r', 'RS256')).toHaveLength(0);
    expect(load(set(jwk(ed25519.publicKey, { kid: 'd', alg: 'Ed25519' }))).candidates('d', 'EdDSA')).toHaveLength(1);
  });

  it('skips keys that are for something else', () => {
    const rest = [
      jwk(p256.publicKey, { kid: '1', use: 'enc' }),
      jwk(p256.publicKey, { kid: '2', key_ops: ['deriveKey'] }),
      jwk(p256.publicKey, { kid: '3', alg: 'ECDH-ES' }),
      jwk(p256.publicKey, { kid: '4', alg: 'RS256' }),
      jwk(p256.publicKey, { kid: '5', use: null }),
      jwk(p256.publicKey, { kid: '6', key_ops: 'verify' }),
    ];
    expect(load(set(...rest, jwk(p256.publicKey, { kid: 'ok', key_ops: ['sign', 'verify'] }))).keys).toHaveLength(1);
    expect(() => load(set(...rest))).toThrow(/no key for any of the configured algorithms/);
  });

  it.each([
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }, /is a symmetric key/],
    ['a private EC key', jwk(p256.privateKey), /has private members/],
    ['a private RSA key', jwk(rsa.privateKey), /has private members/],
    ['a private Ed25519 key', jwk(ed25519.privateKey), /has private members/],
    ['an RSA key with one private member', jwk(rsa.publicKey, { qi: 'AA' }), /has private members/],
    ['a public key with a symmetric member', jwk(rsa.publicKey, { k: 'AA' }), /has private members/],
    ['a kid that is a number', jwk(p256.publicKey, { kid: 1 }), /kid that is not a string/],
    ['a kid that is null', jwk(p256.publicKey, { kid: null }), /kid that is not a string/],
    ['a kid of 257 characters', jwk(p256.publicKey, { kid: 'k'.repeat(257) }), /kid of more than 256 characters/],
    ['an unknown type', { kty: 'AKP', pub: 'AA' }, /is of kty .*, which is not supported/],
    ['no type', { n: 'AA', e: 'AQAB' }, /is of kty .*, which is not supported/],
    ['a type from a prototype', { kty: 'constructor' }, /is of kty .*, which is not supported/],
    ['an RSA key without modulus', { kty: 'RSA', e: 'AQAB' }, /no usable n/],
    ['an RSA key with a number for exponent', { ...jwk(rsa.publicKey), e: 65537 }, /no usable e/],
    ['a modulus in plain base64', { ...jwk(rsa.publicKey), n: `+/${String(jwk(rsa.publicKey)['n'])}` }, /no usable n/],
    ['an EC key without y', { ...jwk(p256.publicKey), y: undefined }, /no usable y/],
    [
      'an EC key off its curve',
      { ...jwk(p256.publicKey), y: jwk(p256.publicKey)['x'] },
      /not a readable EC key on curve P-256/,
    ],
    ['an EC key of another curve', { ...jwk(p256.publicKey), crv: 'P-384' }, /not a readable/],
    ['an EC key without curve', { ...jwk(p256.publicKey), crv: undefined }, /not a readable/],
    ['Ed448', jwk(generateKeyPairSync('ed448').publicKey), /type or curve/],
    ['X25519', jwk(generateKeyPairSync('x25519').publicKey), /type or curve/],
    ['a weak RSA key', jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /fewer than 2048 bits/],
    ['a string', 'key', /is not an object/],
    ['a list', [], /is not an object/],
    ['null', null, /is not an object/],
  ])('refuses %s', (_title, key, message) => {
    expect(() => load(set(jwk(p384.publicKey, { kid: 'good' }), key))).toThrow(LoadProblem);
    expect(() => load(set(jwk(p384.publicKey, { kid: 'good' }), key))).toThrow(message);
  });

  it.each([
    ['no keys', '{"keys":[]}', /no key for any/],
    ['no list', '{"keys":{}}', /not a JWK set/],
    ['a single JWK', JSON.stringify(jwk(p256.publicKey)), /not a JWK set/],
    ['keys on the prototype', '{"__proto__":{"keys":[]}}', /not a JWK set/],
    ['a duplicate member', '{"keys":[],"keys":[]}', /duplicate member/],
    ['broken JSON', '{"keys":[', /not JSON/],
    ['100 keys, none of them usable', `{"keys":[${'1,'.repeat(99)}1]}`, /key 1 of the set|is not an object/],
    ['more than 100 keys', `{"keys":[${'1,'.repeat(100)}1]}`, /more than 100 keys/],
  ])('with %s is refused', (_title, text, message) => {
    expect(() => load(text)).toThrow(message);
  });

  it('may name a kid twice: equal keys are joined, and what is for others is left out first', () => {
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

  it('may hold two different keys of one kid and algorithm, and one key under two kids', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const ring = load(set(jwk(p256.publicKey, { kid: 'a' }), jwk(other, { kid: 'a' }), jwk(other, { kid: 'b' })));
    expect(ring.candidates('a', 'ES256')).toHaveLength(2);
    expect(ring.candidates('b', 'ES256')).toHaveLength(1);
  });

  it('may begin with a byte order mark', () => {
    expect(load(`\uFEFF${set(jwk(p256.publicKey))}`).keys).toHaveLength(1);
    expect(load(`\uFEFF${pem(p256.publicKey)}`).keys).toHaveLength(1);
  });

  it('says why it holds nothing for what is configured', () => {
    expect(() => load(set(jwk(rsa.publicKey, { kid: 'a', alg: 'RS384' })))).toThrow(
      /holds no key for any of the configured algorithms; key 1 \(kid a\) has alg RS384; the configured algorithms are RS256/,
    );
    expect(() => load(set(jwk(p384.publicKey)), ['RS256'])).toThrow(
      'key 1 is a key for ES384, but configured are RS256',
    );
  });

  it('may hold several keys without kid', () => {
    expect(load(set(jwk(p256.publicKey), jwk(p384.publicKey))).keys).toHaveLength(2);
  });

  it('names a bad key by position and by its kid, made printable', () => {
    expect(() => load(set({ kty: 'oct', kid: 'a-kid' }))).toThrow(
      'holds a key that cannot be used: key 1 (kid a-kid) is',
    );
    expect(() => load(set({ kty: 'oct', kid: 'a\nkid' }))).toThrow(
      'holds a key that cannot be used: key 1 (kid a\uFFFDkid) is',
    );
  });
});

describe('a JWK', () => {
  /** Any odd number of that many bits will do: nobody factors it here. */
  const rsaOf = (bits: number, e = 'AQAB'): Record<string, unknown> => {
    const n = randomBytes(Math.ceil(bits / 8));
    n.writeUInt8(2 ** ((bits - 1) % 8), 0);
    n.writeUInt8(n.readUInt8(n.length - 1) | 1, n.length - 1);
    return { kty: 'RSA', n: n.toString('base64url'), e };
  };

  it('of RSA has from 2048 to 8192 bits, and an odd exponent from 3 to 2^32', () => {
    for (const good of [rsaOf(2048), rsaOf(8192), rsaOf(2048, 'Aw'), rsaOf(2048, '_____w')]) {
      expect(loadJwk(good, ['RS256'])).toMatchObject({ algorithms: ['RS256'] });
    }
    expect(() => loadJwk(rsaOf(2047), ['RS256'])).toThrow('fewer than 2048 bits');
    expect(() => loadJwk(rsaOf(8193), ['RS256'])).toThrow('more than 8192 bits');
    for (const e of ['AQ', 'Ag', 'AQAA', 'AQAAAAE', '_______w']) {
      expect(() => loadJwk(rsaOf(2048, e), ['RS256'])).toThrow('unusable exponent');
    }
  });

  it('has numbers in base64url, without anything before or after it', () => {
    const { n } = rsaOf(2048);
    for (const odd of [`${String(n)}=`, `${String(n)}!`, ` ${String(n)}`, `${String(n)}\n`, '', 1]) {
      expect(() => loadJwk({ kty: 'RSA', n: odd, e: 'AQAB' }, ['RS256'])).toThrow('has no usable n');
    }
  });

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'with the member %s is refused: it is no public key',
    (member) => {
      expect(() => loadJwk(jwk(p256.publicKey, { [member]: 'AA' }), ['ES256'])).toThrow(
        new LoadProblem('has private members'),
      );
    },
  );

  it('is for something else when its operations leave out verifying', () => {
    expect(loadJwk(jwk(p256.publicKey, { key_ops: [] }), ['ES256'])).toBe('has key_ops without verify');
    expect(loadJwk(jwk(p256.publicKey), ['ES256'])).toMatchObject({ algorithms: ['ES256'] });
  });

  it('without a kid has none', () => {
    expect(loadJwk(jwk(p256.publicKey), ['ES256'])).toHaveProperty('kid', undefined);
    expect(loadJwk(jwk(p256.publicKey, { kid: '' }), ['ES256'])).toHaveProperty('kid', '');
  });
});
