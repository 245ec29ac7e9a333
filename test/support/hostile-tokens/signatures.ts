// Hostile tokens, fifth group: the signature itself. The ideas are those of Project Wycheproof's vectors for JSON Web
// Signatures and for ECDSA, RSA and EdDSA, rewritten for keys that are created in each run.
import { constants, createHmac, sign } from 'node:crypto';
import type { HostileToken } from '../hostile-tokens.ts';
import { encode, signatureOf, signSegments } from '../sign-token.ts';
import type { TokenIssuers } from '../servers/token-issuers.ts';

/** Orders of P-256 and of Ed25519's group. */
const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ed25519Order = 2n ** 252n + 27742317777372353535851937790883648493n;

const toBytes = (value: bigint, length: number): Buffer =>
  Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');
const fromBytes = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
const reversed = (bytes: Buffer): Buffer => Buffer.from(bytes).reverse();

function flipped(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
  return copy;
}

export function hostileSignatures(issuers: TokenIssuers): readonly HostileToken[] {
  const { token, claims, headerSegment, payloadSegment, keys, issuers: named } = issuers;
  type Name = keyof typeof named;
  const names = Object.keys(named) as Name[];

  const inputOf = (name: Name): string => `${headerSegment(name)}.${payloadSegment(name)}`;
  const withSignature = (title: string, name: Name, signature: Buffer): HostileToken => ({
    title: `${title} (${named[name].alg})`,
    token: `${inputOf(name)}.${signature.toString('base64url')}`,
    reason: 'signature_invalid',
  });
  const goodSignature = (name: Name): Buffer => signatureOf(named[name].alg, named[name].key, inputOf(name));

  const forEveryIssuer = names.flatMap((name): HostileToken[] => {
    const signature = goodSignature(name);
    const [header = '', payload = '', signed = ''] = token(name).split('.');
    const other = encode(claims(name, { sub: 'admin' }));
    return [
      withSignature('the first bit flipped', name, flipped(signature, 0)),
      withSignature('the last bit flipped', name, flipped(signature, signature.length - 1)),
      withSignature('one byte short', name, signature.subarray(0, -1)),
      withSignature('one byte short at the start', name, signature.subarray(1)),
      withSignature('one byte long', name, Buffer.concat([signature, Buffer.alloc(1)])),
      withSignature('a zero before it', name, Buffer.concat([Buffer.alloc(1), signature])),
      withSignature('twice in a row', name, Buffer.concat([signature, signature])),
      withSignature('all zeros', name, Buffer.alloc(signature.length)),
      withSignature('all ones', name, Buffer.alloc(signature.length, 0xff)),
      withSignature('a single byte', name, Buffer.alloc(1)),
      {
        title: `the signature of another payload (${named[name].alg})`,
        token: `${header}.${other}.${signed}`,
        reason: 'signature_invalid',
      },
      {
        title: `the signature of another header (${named[name].alg})`,
        token: `${headerSegment(name, { x: 1 })}.${payload}.${signed}`,
        reason: 'signature_invalid',
      },
    ];
  });

  /** One signature in 256 begins with a zero byte, which could be left out. */
  const withoutLeadingZero = (name: 'rsa' | 'pss'): HostileToken => {
    for (let number = 0; ; number += 1) {
      const text = `${headerSegment(name)}.${payloadSegment(name, { number })}`;
      const signature = signatureOf(named[name].alg, named[name].key, text);
      if (signature.readUInt8(0) !== 0) continue;
      return {
        title: `a signature without its leading zero (${named[name].alg})`,
        token: `${text}.${signature.subarray(1).toString('base64url')}`,
        reason: 'signature_invalid',
      };
    }
  };

  const ecdsa = goodSignature('ec');
  const [r, s] = [fromBytes(ecdsa.subarray(0, 32)), fromBytes(ecdsa.subarray(32))];
  const ec = (title: string, first: bigint, second: bigint): HostileToken =>
    withSignature(title, 'ec', Buffer.concat([toBytes(first, 32), toBytes(second, 32)]));
  const eddsa = goodSignature('ed');
  const shifted = fromBytes(reversed(eddsa.subarray(32))) + ed25519Order;
  const identity = Buffer.concat([toBytes(1n, 1), Buffer.alloc(63)]);
  const rsa = { key: named.rsa.key, padding: constants.RSA_PKCS1_PADDING };
  const pss = { key: named.pss.key, padding: constants.RSA_PKCS1_PSS_PADDING };
  const input = (name: Name): Buffer => Buffer.from(inputOf(name));
  const hmac = (key: string | Buffer, hash = 'sha256'): Buffer =>
    createHmac(hash, key).update(inputOf('hmac')).digest();

  return [
    ...forEveryIssuer,

    ec('r and s zero', 0n, 0n),
    ec('r zero', 0n, s),
    ec('s zero', r, 0n),
    ec('r and s one', 1n, 1n),
    ec('r the order of the group', p256Order, s),
    ec('s the order of the group', r, p256Order),
    ec('r and s the order of the group', p256Order, p256Order),
    ec('r one below the order', p256Order - 1n, s),
    ec('r and s exchanged', s, r),
    withSignature('in DER', 'ec', sign('sha256', input('ec'), named.ec.key)),
    withSignature('over SHA-512', 'ec', sign('sha512', input('ec'), { key: named.ec.key, dsaEncoding: 'ieee-p1363' })),
    withSignature(
      'of a P-384 key',
      'ec',
      sign('sha256', input('ec'), { key: keys.ec384.privateKey, dsaEncoding: 'ieee-p1363' }),
    ),
    withSignature('r and s padded to 66 bytes', 'ec', Buffer.concat([toBytes(r, 66), toBytes(s, 66)])),
    withSignature('of 96 zeros', 'set', Buffer.alloc(96)),

    withSignature('the identity as R, S zero', 'ed', identity),
    withSignature(
      'S with the order added',
      'ed',
      Buffer.concat([eddsa.subarray(0, 32), reversed(toBytes(shifted, 32))]),
    ),
    withSignature('R and S exchanged', 'ed', Buffer.concat([eddsa.subarray(32), eddsa.subarray(0, 32)])),

    withoutLeadingZero('rsa'),
    withoutLeadingZero('pss'),
    withSignature('of SHA-1', 'rsa', sign('sha1', input('rsa'), rsa)),
    withSignature('of SHA-512', 'rsa', sign('sha512', input('rsa'), rsa)),
    withSignature('with PSS padding', 'rsa', signatureOf('PS256', named.rsa.key, inputOf('rsa'))),
    withSignature('of one', 'rsa', toBytes(1n, 256)),
    withSignature(
      'the modulus',
      'rsa',
      Buffer.from(String(keys.rsa.publicKey.export({ format: 'jwk' }).n), 'base64url'),
    ),
    withSignature('with a key of the attacker', 'rsa', signatureOf('RS256', keys.attacker.privateKey, inputOf('rsa'))),
    withSignature('with PKCS#1 padding', 'pss', signatureOf('RS256', named.pss.key, inputOf('pss'))),
    withSignature('with a salt of no bytes', 'pss', sign('sha256', input('pss'), { ...pss, saltLength: 0 })),
    withSignature('with the longest salt', 'pss', sign('sha256', input('pss'), { ...pss, saltLength: 222 })),
    withSignature('of SHA-512', 'pss', sign('sha512', input('pss'), { ...pss, saltLength: 64 })),

    withSignature('with an empty secret', 'hmac', hmac('')),
    withSignature('with a secret of zeros', 'hmac', hmac(Buffer.alloc(32))),
    withSignature('with the secret and a newline', 'hmac', hmac(`${keys.secret}\n`)),
    withSignature('with both secrets in one text', 'hmac', hmac(`${keys.secret}\n${keys.oldSecret}`)),
    withSignature('with the secret without its last letter', 'hmac', hmac(keys.secret.slice(0, -1))),
    withSignature('with the decoded secret', 'hmac', hmac(Buffer.from(keys.secret, 'base64url'))),
    withSignature('over SHA-512', 'hmac', hmac(keys.secret, 'sha512')),
    withSignature('over SHA-512, truncated to 32 bytes', 'hmac', hmac(keys.secret, 'sha512').subarray(0, 32)),
    withSignature('truncated to 16 bytes', 'hmac', hmac(keys.secret).subarray(0, 16)),
    withSignature('as hexadecimal text', 'hmac', Buffer.from(hmac(keys.secret).toString('hex'))),
    {
      title: 'an HMAC of the payload only',
      token: `${inputOf('hmac')}.${createHmac('sha256', keys.secret).update(payloadSegment('hmac')).digest('base64url')}`,
      reason: 'signature_invalid',
    },
    {
      title: 'a signature over the decoded texts',
      token: `${inputOf('hmac')}.${createHmac('sha256', keys.secret)
        .update(
          inputOf('hmac')
            .split('.')
            .map((part) => Buffer.from(part, 'base64url').toString())
            .join('.'),
        )
        .digest('base64url')}`,
      reason: 'signature_invalid',
    },
    {
      title: "the key of another issuer with this issuer's name (EdDSA)",
      token: signSegments('EdDSA', keys.ed.privateKey, encode({ alg: 'EdDSA', kid: 'ed' }), payloadSegment('rsa')),
      reason: 'algorithm_refused',
    },
  ];
}
