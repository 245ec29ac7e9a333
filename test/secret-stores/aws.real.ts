// AWS's own library against moto, which implements AWS Secrets Manager with its states and errors.
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { spawn, type ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createSettingReader } from '../../src/config/setting-reader.ts';
import { awsStoreKind } from '../../src/secrets/aws-store.ts';
import type { SecretStore } from '../../src/secrets/secret-store.ts';
import type { SecretRead } from '../../src/secrets/secret-setting.ts';
import { freePort } from '../../demo/free-port.ts';
import { binaryOf, untilReachable } from './real-servers.ts';

const moto = binaryOf('TEST_MOTO_SERVER');
const revealed = (read: SecretRead): unknown => (read.kind === 'read' ? read.value.reveal() : read);

describe.skipIf(moto.path === undefined)(`AWS Secrets Manager, by moto${moto.reason}`, () => {
  let server: ChildProcess;
  let client: SecretsManagerClient;
  let store: SecretStore;

  beforeAll(async () => {
    const port = await freePort();
    server = spawn(moto.path ?? '', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
    Object.assign(process.env, {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'example',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}`,
    });
    await untilReachable(`http://127.0.0.1:${port}/moto-api/`);
    client = new SecretsManagerClient({});
    const opened = await awsStoreKind.open({
      settings: createSettingReader({}, () => Buffer.alloc(0), []),
      readFile: () => Promise.reject(new Error('no files')),
      egress: createEgress({ https: undefined, http: undefined, noProxy: '' }),
      clock: systemClock,
      random: Math.random,
      onEvent: () => undefined,
      report: () => undefined,
    });
    if (opened === undefined) throw new Error('the library is not installed');
    store = opened;
  });
  afterAll(async () => {
    await store.close();
    client.destroy();
    server.kill('SIGKILL');
  });

  it('returns a secret by name and by ARN, whole and by field, and its newest value', async () => {
    const SecretString = JSON.stringify({ 'api-key': 'first-value' });
    const { ARN: arn = '' } = await client.send(new CreateSecretCommand({ Name: 'prod/proxy', SecretString }));
    expect(revealed(await store.read('prod/proxy#api-key'))).toBe('first-value');
    expect(revealed(await store.read(`${arn}#api-key`))).toBe('first-value');
    expect(revealed(await store.read(arn))).toBe(SecretString);
    await client.send(new PutSecretValueCommand({ SecretId: arn, SecretString: 'second-value' }));
    expect(revealed(await store.read('prod/proxy'))).toBe('second-value');
  });

  it('returns a secret that was stored as bytes', async () => {
    await client.send(new CreateSecretCommand({ Name: 'prod/bytes', SecretBinary: Buffer.from('a-value\n') }));
    expect(revealed(await store.read('prod/bytes'))).toBe('a-value');
  });

  it('refuses a missing secret and a deleted one', async () => {
    expect(await store.read('prod/none')).toMatchObject({
      kind: 'refused',
      problem: 'does not exist in AWS Secrets Manager (ResourceNotFoundException)',
    });
    await client.send(new CreateSecretCommand({ Name: 'prod/gone', SecretString: 'x' }));
    await client.send(new DeleteSecretCommand({ SecretId: 'prod/gone', RecoveryWindowInDays: 7 }));
    expect((await store.read('prod/gone')).kind).toBe('refused');
  });

  it('is called again later if it is unavailable', async () => {
    server.kill('SIGSTOP');
    expect((await store.read('prod/proxy')).kind).toBe('unavailable');
    server.kill('SIGCONT');
    await expect.poll(async () => (await store.read('prod/proxy')).kind, { timeout: 15_000 }).toBe('read');
  });
});
