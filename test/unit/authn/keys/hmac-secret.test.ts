import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../../../../src/authn/keys/algorithms.ts';
import { loadHmacSecrets } from '../../../../src/authn/keys/hmac-secret.ts';
import { KeyRefused } from '../../../../src/authn/keys/public-key.ts';

const load = (text: string, wanted: readonly Algorithm[] = ['HS256']) => loadHmacSecrets(text, wanted);
const confusion = 'is a key of a public-key pair, which is no secret';

describe('HMAC secrets', () => {
  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('for %s have %i bytes at least', (algorithm, bytes) => {
    expect(load('k'.repeat(bytes), [algorithm])).toHaveLength(1);
    expect(() => load('k'.repeat(bytes - 1), [algorithm])).toThrow(
      new KeyRefused(`is shorter than the ${bytes} bytes that ${algorithm} needs`),
    );
  });

  it('serve the longest of several algorithms', () => {
    expect(() => load('k'.repeat(63), ['HS256', 'HS512'])).toThrow(/64 bytes that HS256, HS512/);
  });

  it('are counted in bytes of UTF-8, not in characters', () => {
    expect(load('ü'.repeat(16))).toHaveLength(1);
    expect(() => load('ü'.repeat(15))).toThrow(KeyRefused);
  });

  it('may be several, one a line, all valid, for rotation', () => {
    const [old, fresh] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
    for (const text of [`${old}\n${fresh}`, `${old}\r\n${fresh}`]) {
      expect(load(text).map(({ material }) => material.reveal())).toEqual([old, fresh]);
    }
  });

  it('that are the same count once', () => {
    expect(load(`${'k'.repeat(32)}\n${'k'.repeat(32)}`)).toHaveLength(1);
  });

  it('are eight at most, because a token may be tried against each', () => {
    const lines = Array.from({ length: 9 }, (_, index) => `${index}`.repeat(40));
    expect(load(lines.slice(0, 8).join('\n'))).toHaveLength(8);
    expect(() => load(lines.join('\n'))).toThrow(new KeyRefused('holds more than 8 keys'));
  });

  it.each([
    ['an empty line', `${'k'.repeat(32)}\n\n${'l'.repeat(32)}`, 'has an empty line'],
    ['a space at the end', `${'k'.repeat(32)} `, 'has white space at the start or end of a key'],
    ['a tab at the start', `\t${'k'.repeat(32)}`, 'has white space at the start or end of a key'],
    ['a comma', `${'k'.repeat(32)},${'l'.repeat(32)}`, 'has a comma; several keys are written one a line'],
    ['a replacement character', `${'k'.repeat(32)}\uFFFD`, 'is not UTF-8 text'],
    ['a lone surrogate', `${'k'.repeat(32)}\ud800`, 'is not UTF-8 text'],
  ])('with %s are refused', (_title, text, message) => {
    expect(() => load(text)).toThrow(new KeyRefused(message));
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const certificate = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----`;

  it.each([
    ['PEM', spki],
    ['PEM without line breaks', spki.replaceAll('\n', '')],
    ['PEM with written-out line breaks', spki.replaceAll('\n', '\\n')],
    ['PEM with text before it', `my key: ${spki}`],
    ['PEM with a byte order mark', `\uFEFF${spki}`],
    ['PEM with a zero-width space in its header', spki.replace('PUBLIC', 'PUB\u200BLIC')],
    ['PEM in odd case', spki.replace('BEGIN PUBLIC KEY', 'Begin Public Key')],
    ['PEM with odd white space', spki.replace('BEGIN PUBLIC KEY', 'BEGIN  PUBLIC\tKEY')],
    ['PEM with few dashes', spki.replaceAll('-----', '--')],
    ['PKCS#1 PEM', publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['private PEM', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['private PKCS#1 PEM', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['EC private PEM', ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString()],
    ['EC PEM', ec.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['Ed25519 PEM', ed.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['a certificate', certificate],
    ['a JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
    ['a JWK set', JSON.stringify({ keys: [ec.publicKey.export({ format: 'jwk' })] })],
    ['an empty JWK set with text around it', `x ${JSON.stringify({ keys: [] }).padEnd(40)}x`],
    ['any JSON object', JSON.stringify({ name: 'k'.repeat(32) })],
    ['a list of JWKs', JSON.stringify([ec.publicKey.export({ format: 'jwk' })])],
    ['a JWK with text before it', `key=${JSON.stringify(ec.publicKey.export({ format: 'jwk' }))}`],
    ['bare base64', der.toString('base64')],
    ['bare base64 in lines', der.toString('base64').replace(/.{64}/g, '$&\n')],
    ['bare base64url', der.toString('base64url')],
    ['bare base64 without padding', der.toString('base64').replace(/=+$/, '')],
    ['bare base64 with a prefix', `key: ${der.toString('base64')}`],
    ['bare base64 of PKCS#1', publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')],
    ['bare base64 of EC', ec.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['bare base64 of Ed25519', ed.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['bare base64 of a private key', privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')],
    ['bare base64 of a private PKCS#1 key', privateKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')],
    ['bare base64 of a private EC key', ec.privateKey.export({ type: 'sec1', format: 'der' }).toString('base64')],
    ['hexadecimal', der.toString('hex')],
    ['hexadecimal in capitals', der.toString('hex').toUpperCase()],
    ['PEM in hexadecimal', Buffer.from(spki).toString('hex')],
    ['base64 of PEM in hexadecimal', Buffer.from(Buffer.from(spki).toString('hex')).toString('base64')],
    ['PEM percent-encoded twice', encodeURIComponent(encodeURIComponent(spki))],
    [
      'PEM percent-encoded nine times',
      Array.from({ length: 9 }).reduce<string>((text) => encodeURIComponent(text), spki),
    ],
    ['base64 of PEM', Buffer.from(spki).toString('base64')],
    ['base64 of base64', Buffer.from(der.toString('base64')).toString('base64')],
    ['base64 of a JWK', Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' }))).toString('base64')],
    ['an SSH key', `ssh-rsa ${Buffer.concat([Buffer.from([0, 0, 0, 7]), der]).toString('base64')} me@host`],
    ['an SSH Ed25519 key', `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`],
  ])('that are %s are refused: everybody has them', (_title, text) => {
    expect(() => load(text)).toThrow(new KeyRefused(confusion));
  });

  it('are refused when only one line is such a key', () => {
    for (let letters = 32; letters < 36; letters += 1) {
      expect(() => load(`${'k'.repeat(letters)}\n${der.toString('base64')}`)).toThrow(new KeyRefused(confusion));
    }
  });

  it.each([
    ['EC', ec.publicKey],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey],
    ['Ed25519', ed.publicKey],
    ['RSA', publicKey],
  ])('are refused whatever stands before the base64 of a public %s key', (_type, key) => {
    const base64 = key.export({ type: 'spki', format: 'der' }).toString('base64');
    for (const before of ['M', 'MM', 'PEM', 'MA', `${'k'.repeat(31)}M\n`, `${'k'.repeat(31)}MM\n`]) {
      expect(() => load(before + base64)).toThrow(new KeyRefused(confusion));
    }
  });

  it('that hold a key in another coat are refused', () => {
    const colons = (der.toString('hex').match(/../g) ?? []).join(':');
    const jwk = JSON.stringify(ec.publicKey.export({ format: 'jwk' }));
    const lines = (der.toString('base64').match(/.{1,64}/g) ?? []) as string[];
    const ssh = (name: string, rest: number): string =>
      Buffer.concat([Buffer.from([0, 0, 0, name.length]), Buffer.from(name), randomBytes(rest)]).toString('base64');
    for (const text of [
      colons,
      ...['\\n', '\\r\\n', '|', '.', '-', '_', ' ; '].map((between) => lines.join(between)),
      spki.replaceAll(/[\n ]/g, '_'),
      `a${der.toString('hex')}`,
      (der.toString('hex').match(/../g) ?? []).join('-'),
      [...Buffer.from(der.toString('base64'))].map((byte) => `%${byte.toString(16)}`).join(''),
      ...['x', 'xy', 'xyz'].map((before) => before + Buffer.from(spki).toString('base64')),
      ssh('ssh-rsa', 270),
      ssh('ssh-ed25519', 36),
      ssh('ecdsa-sha2-nistp256', 90),
      `<RSAKeyValue><Modulus>${randomBytes(256).toString('base64')}</Modulus></RSAKeyValue>`,
      encodeURIComponent(spki),
      encodeURIComponent(der.toString('base64')),
      `"${jwk.replaceAll('"', '\\"')}"`,
    ]) {
      expect(() => load(text)).toThrow(new KeyRefused(confusion));
    }
  });

  it('are 16,384 characters at most, which is looked through quickly', () => {
    expect(load('k'.repeat(16_384))).toHaveLength(1);
    expect(() => load('k'.repeat(16_385))).toThrow(new KeyRefused('is longer than 16384 characters'));
    // All of it could be the start of a key; a megabyte of it would take minutes.
    expect(load('MI'.repeat(8_192))).toHaveLength(1);
  });

  it('may hold brackets and quotes, if they are no JSON object or list', () => {
    for (const text of [`"${'k'.repeat(32)}["`, `[${'k'.repeat(32)}`, `${'k'.repeat(32)}{}`])
      expect(load(text)).toHaveLength(1);
  });

  it('that are random text of any usual form are accepted', () => {
    const text = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      fc.stringMatching(/^[a-z0-9!@#$%^&*()_+=-]{40,60}$/),
    );
    fc.assert(
      fc.property(text, (secret) => {
        expect(load(secret)[0]?.material.reveal()).toBe(secret);
      }),
      { numRuns: 1000 },
    );
  });

  it('appear in no message', () => {
    for (const text of ['hunter2-hunter2', 'hunter2,hunter2 '.repeat(8), `hunter2${spki}`]) {
      expect(() => load(text)).not.toThrow(/hunter2/);
      expect(() => load(text)).toThrow(KeyRefused);
    }
  });
});
