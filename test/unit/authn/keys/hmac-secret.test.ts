import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../../../../src/authn/keys/algorithms.ts';
import { loadHmacSecrets, type SecretEncoding } from '../../../../src/authn/keys/hmac-secret.ts';
import { LoadProblem } from '../../../../src/problem.ts';
import { nameFailure } from '../../../support/sentences/name-sentence.ts';

const load = (text: string, wanted: readonly Algorithm[] = ['HS256'], encoding: SecretEncoding = 'text') =>
  loadHmacSecrets(text, wanted, encoding);
const bytesOf = (...args: Parameters<typeof load>) => load(...args).map(({ material }) => material.export().toString());
/** Text of any length that is not a published example. */
const filler = (bytes: number): string => 'q7-Zr_9x'.repeat(Math.ceil(bytes / 8)).slice(0, bytes);

describe('HMAC secrets', () => {
  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('for %s have at least %i bytes', (algorithm, bytes) => {
    expect(load(filler(bytes), [algorithm])).toHaveLength(1);
    expect(nameFailure(() => load(filler(bytes - 1), [algorithm]))).toBe(`secretTooShort(${bytes}, ${algorithm})`);
  });

  it('are long enough for every configured algorithm', () => {
    expect(nameFailure(() => load(filler(63), ['HS256', 'HS512']))).toBe('secretTooShort(64, HS256, HS512)');
  });

  it('are measured in bytes of UTF-8, not in characters', () => {
    expect(load(`ä${'ü'.repeat(15)}`)).toHaveLength(1);
    expect(() => load('ü'.repeat(15))).toThrow(LoadProblem);
  });

  it('may be several, one per line, for rotation', () => {
    const [old, fresh] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
    for (const text of [`${old}\n${fresh}`, `${old}\r\n${fresh}`]) {
      expect(bytesOf(text)).toEqual([old, fresh]);
    }
  });

  it('that are equal count as one', () => {
    expect(load(`${filler(32)}\n${filler(32)}`)).toHaveLength(1);
  });

  it('are at most eight, because a token may be checked with each', () => {
    const lines = Array.from({ length: 9 }, (_, index) => index + filler(40));
    expect(load(lines.slice(0, 8).join('\n'))).toHaveLength(8);
    expect(nameFailure(() => load(lines.join('\n')))).toBe('tooManyKeys(8)');
  });

  it.each([
    ['an empty line', `${filler(32)}\n\n${filler(33)}`, 'emptyLine'],
    ['a space at the end', `${filler(32)} `, 'keyWithBlanks'],
    ['a tab at the start', `\t${filler(32)}`, 'keyWithBlanks'],
    ['a comma', `${filler(32)},${filler(33)}`, 'keyWithComma'],
    ['a replacement character', `${filler(32)}\uFFFD`, 'notUtf8'],
    ['a lone surrogate', `${filler(32)}\ud800`, 'notUtf8'],
  ])('with %s are refused', (_title, text, problem) => {
    expect(nameFailure(() => load(text))).toBe(problem);
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
  });
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
    ['PEM in odd case', spki.replace('BEGIN PUBLIC KEY', 'Begin Public Key')],
    ['PKCS#1 PEM', publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['private PEM', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['EC private PEM', ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString()],
    ['Ed25519 PEM', ed.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['a certificate', certificate],
    ['a JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
    ['a JWK set', JSON.stringify({ keys: [ec.publicKey.export({ format: 'jwk' })] })],
    ['a JWK with text before it', `key=${JSON.stringify(ec.publicKey.export({ format: 'jwk' }))}`],
    ['bare base64', der.toString('base64')],
    ['bare base64 in lines', der.toString('base64').replace(/.{64}/g, '$&\n')],
    ['bare base64url', der.toString('base64url')],
    ['bare base64 without padding', der.toString('base64').replace(/=+$/, '')],
    ['bare base64 of PKCS#1', publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')],
    ['bare base64 of EC', ec.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['bare base64 of Ed25519', ed.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['bare base64 of a private key', privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')],
    ['bare base64 of a private PKCS#1 key', privateKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')],
    ['bare base64 of a private EC key', ec.privateKey.export({ type: 'sec1', format: 'der' }).toString('base64')],
    ['an SSH key', `ssh-rsa ${Buffer.concat([Buffer.from([0, 0, 0, 7]), der]).toString('base64')} me@host`],
    ['an SSH Ed25519 key', `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`],
    ['next to such a key', `${filler(33)}\n${der.toString('base64')}`],
  ])('that are %s are refused, because public keys are not secret', (_title, text) => {
    expect(nameFailure(() => load(text))).toBe('keyOfPair');
  });

  it('that decode to a public or private key are refused', () => {
    expect(nameFailure(() => load(der.toString('hex'), ['HS256'], 'hex'))).toBe('keyOfPair');
    expect(nameFailure(() => load(Buffer.from(spki).toString('base64'), ['HS256'], 'base64'))).toBe('keyOfPair');
  });

  it.each([
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'a-string-secret-at-least-256-bits-long',
    'super-secret-jwt-token-with-at-least-32-characters-long',
  ])('that are published examples are refused: %s', (text) => {
    expect(nameFailure(() => load(text))).toBe('publishedSecret');
  });

  it('that repeat one character are refused', () => {
    for (const text of ['k'.repeat(32), 'ü'.repeat(40)]) {
      expect(nameFailure(() => load(text))).toBe('repeatedCharacter');
    }
    expect(nameFailure(() => load('00'.repeat(32), ['HS256'], 'hex'))).toBe('repeatedCharacter');
    expect(load(`${'k'.repeat(40)}l`)).toHaveLength(1);
  });

  it('are at most 16,384 characters, which takes little time to check', () => {
    expect(load(filler(16_384))).toHaveLength(1);
    expect(nameFailure(() => load(filler(16_385)))).toBe('tooLong(16384)');
    const costly = ['MI', 'BEGIN ', 'ssh-', '"kty"   ', '"keys"\t\t', 'AAAA', '='].map((unit) =>
      `${unit.repeat(16_384 / unit.length)}x`.slice(1, 16_384).trim(),
    );
    const before = process.cpuUsage();
    for (const text of costly) expect(() => load(`Q${text}`)).not.toThrow(RangeError);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(500);
  });

  it('may contain brackets and quotes if they are not a JSON object or list', () => {
    for (const text of [`"${filler(32)}[`, `[${filler(32)}`, `${filler(32)}{}`]) expect(load(text)).toHaveLength(1);
  });

  it('are decoded in the same way as the signer decodes them', () => {
    const bytes = randomBytes(33);
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      const [key] = load(bytes.toString(encoding), ['HS256'], encoding);
      expect(key?.material.export()).toEqual(bytes);
    }
    const padded = randomBytes(32).toString('base64');
    expect(load(padded.replace(/=+$/, ''), ['HS256'], 'base64')[0]?.material.export().toString('base64')).toBe(padded);
    expect(load(bytes.toString('hex').toUpperCase(), ['HS256'], 'hex')[0]?.material.export()).toEqual(bytes);
    expect(bytesOf(padded)).toEqual([padded]);
  });

  it.each<readonly [string, SecretEncoding, string]>([
    ['ab'.repeat(31), 'hex', 'secretTooShort(32, HS256)'],
    [`${'ab'.repeat(32)}c`, 'hex', 'notEncoded(hex)'],
    [`${'ab'.repeat(32)}xy`, 'hex', 'notEncoded(hex)'],
    [filler(48), 'base64', 'notEncoded(base64)'],
    [`${'q7+Z'.repeat(12)}`, 'base64url', 'notEncoded(base64url)'],
    [`${'q7+Z'.repeat(12)}!`, 'base64', 'notEncoded(base64)'],
    [`${'q7+Z'.repeat(12)}q`, 'base64', 'notEncoded(base64)'],
    [randomBytes(31).toString('base64'), 'base64', 'secretTooShort(32, HS256)'],
  ])('%s as %s are refused with an error that does not repeat them', (text, encoding, problem) => {
    expect(nameFailure(() => load(text, ['HS256'], encoding))).toBe(problem);
    expect(() => load(text, ['HS256'], encoding)).not.toThrow(text);
  });

  it('of random text in a usual form are accepted', () => {
    const text = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      fc.uint8Array({ minLength: 32, maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      fc.stringMatching(/^[a-z0-9!@#$%^&*()_+=-]{40,60}$/),
    );
    fc.assert(
      fc.property(text, (secret) => {
        expect(bytesOf(secret)[0]).toBe(secret);
      }),
      { numRuns: 1000 },
    );
  });

  it('appear in no error message', () => {
    for (const text of ['hunter2-hunter2', 'hunter2,hunter2 '.repeat(8), `hunter2${spki}`]) {
      expect(() => load(text)).not.toThrow(/hunter2/);
      expect(() => load(text)).toThrow(LoadProblem);
    }
  });
});
