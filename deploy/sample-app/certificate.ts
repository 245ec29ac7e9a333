// Writes a self-signed certificate for localhost, with its key, to the file in the argument (RFC 5280). Encodes DER itself,
// because Node can read certificates but not create them. Valid for 30 days, new at every start. For tests only.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const dayMs = 86_400_000;

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts);
const objectId = (hex: string): Buffer => element(0x06, Buffer.from(hex, 'hex'));
const integer = (bytes: Buffer): Buffer => element(0x02, bytes);
const bitString = (bytes: Buffer): Buffer => element(0x03, Buffer.from([0]), bytes);
const time = (at: number): Buffer =>
  element(0x17, Buffer.from(`${new Date(at).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`, 'ascii'));
const extension = (id: string, isCritical: boolean, value: Buffer): Buffer =>
  sequence(objectId(id), ...(isCritical ? [element(0x01, Buffer.from([0xff]))] : []), element(0x04, value));

/** A certificate and its key as PEM, in one file, as HAProxy requires. */
export function selfSignedCertificate(name: string, now: number): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
  const subject = sequence(
    element(0x31, sequence(objectId('550403'), element(0x0c, Buffer.from(name, 'utf8')))), // commonName
  );
  const alternativeNames = sequence(
    element(0x82, Buffer.from(name, 'ascii')),
    element(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const toBeSigned = sequence(
    element(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    ecdsaWithSha256,
    subject,
    sequence(time(now - dayMs), time(now + 30 * dayMs)),
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    element(
      0xa3,
      sequence(
        extension('551d13', true, sequence()), // basicConstraints: no authority
        extension('551d0f', true, element(0x03, Buffer.from([7, 0x80]))), // keyUsage: digitalSignature
        extension('551d11', false, alternativeNames),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(signature));
  const base64 = certificate.toString('base64').replace(/(.{64})/g, '$1\n');
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return `-----BEGIN CERTIFICATE-----\n${base64.trimEnd()}\n-----END CERTIFICATE-----\n${key}`;
}

if (import.meta.main) {
  const [, , path] = process.argv;
  if (path === undefined) throw new Error('usage: certificate.ts <file>');
  writeFileSync(path, selfSignedCertificate('localhost', Date.now()), { mode: 0o600 });
}
