// The Helm chart: a schema checks its values, the rendered resources pass Kubernetes' schemas and promtool, the program
// accepts the pods' settings, policy and tests, and the pods are restricted like those of the plain manifest.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import packageJson from '../../../package.json' with { type: 'json' };
import { loadConfiguration } from '../../../src/config/load-configuration.ts';
import { unknownVariables } from '../../../src/config/refused-variables.ts';
import {
  chartFolder,
  chartReason,
  hasChartTools,
  helm,
  render,
  resourcesIn,
  validate,
  type Resource,
} from '../../support/programs/chart.ts';

const variants = readdirSync(`${chartFolder}/ci`).map(
  (name) => [name.replace('-values.yaml', ''), `${chartFolder}/ci/${name}`] as const,
);
const readYaml = (path: string): unknown => parse(readFileSync(path, 'utf8'));
const [minimal = '', everything = '', vault = '', issuers = ''] = ['minimal', 'everything', 'vault', 'issuers'].map(
  (name) => variants.find(([one]) => one === name)?.[1],
);

/** The only folder that the image may write to. */
const archiveFolder = '/var/lib/guest-token-proxy/policies';

const scratch = mkdtempSync(join(tmpdir(), 'guest-token-chart-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Writes a separate values file for this test. */
function valuesFile(values: object): string {
  const path = join(scratch, `${randomUUID()}.yaml`);
  writeFileSync(path, stringify(values));
  return path;
}

const isValid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(`${chartFolder}/values.schema.json`, 'utf8')) as object,
);

describe('the chart', () => {
  it('has the version of the program', () => {
    expect(readYaml(`${chartFolder}/Chart.yaml`)).toMatchObject({
      version: packageJson.version,
      appVersion: packageJson.version,
    });
  });

  it('contains the unchanged alert rules and dashboard', () => {
    for (const [inChart, original] of [
      ['guest-token-proxy.rules.yaml', 'deploy/prometheus/guest-token-proxy.rules.yaml'],
      ['guest-token-proxy.json', 'deploy/grafana/guest-token-proxy.json'],
    ] as const)
      expect(readFileSync(`${chartFolder}/files/${inChart}`, 'utf8')).toBe(readFileSync(original, 'utf8'));
  });

  it.each([['default', `${chartFolder}/values.yaml`] as const, ...variants])(
    'has %s values that fit the schema',
    (_name, path) => {
      isValid(readYaml(path));
      expect(isValid.errors).toBeNull();
    },
  );

  it.each([
    ['a misspelt value', { replicas: 3 }],
    ['a misspelt value further down', { metrics: { serviceMonitor: { enable: true } } }],
    ['an API key in the settings', { settings: { DATABRAIN_API_KEY: 'b7f9c1d2-5b1e-4c38-9a42-6d0f3e7a1c55' } }],
    [
      'a further API key in the settings',
      { settings: { DATABRAIN_API_KEY_SALES: 'b7f9c1d2-5b1e-4c38-9a42-6d0f3e7a1c55' } },
    ],
    ['a Redis password in the settings', { settings: { REDIS_URL: 'rediss://:password@redis' } }],
    ['an HMAC key in the settings', { settings: { JWT_SECRET: 'text' } }],
    ['a setting in lower case', { settings: { jwt_issuer: 'https://login.example.com/' } }],
    ['a digest that is not a digest', { image: { digest: 'latest' } }],
    ['a secret that is not in Vault’s form', { vault: { secrets: { DATABRAIN_API_KEY_VAULT: 'databrain' } } }],
    ['tests with another file name', { policy: { tests: { 'tests.yaml': 'tests: []' } } }],
    ['no replicas', { replicaCount: 0 }],
    ['a volume of the host', { extraVolumes: [{ name: 'host', hostPath: { path: '/' } }] }],
    ['a further volume that can be written', { extraVolumeMounts: [{ name: 'a', mountPath: '/a', readOnly: false }] }],
    ['every address as a network peer', { networkPolicy: { ingressFrom: [{}] } }],
  ])('refuses %s', (_title, values) => {
    expect(isValid(values)).toBe(false);
  });
});

interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly unknown[];
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: unknown;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly securityContext: unknown;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
  readonly volumeMounts?: readonly {
    readonly mountPath: string;
    readonly readOnly: boolean;
    readonly subPath?: string;
  }[];
}

function podSpecOf({ kind, spec }: Resource): PodSpec | undefined {
  if (kind === 'Pod') return spec as unknown as PodSpec;
  if (kind === 'Deployment' || kind === 'Job') return (spec as { template: { spec: PodSpec } }).template.spec;
  return undefined;
}

function one(resources: readonly Resource[], kind: string, name = 'release-guest-token-proxy'): Resource {
  const found = resources.find((resource) => resource.kind === kind && resource.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

const envOf = (container: Container | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));

describe('the settings in the values', () => {
  it('may name a secret in any store', () => {
    const settings = {
      DATABRAIN_API_KEY_SALES_AWS_SECRET: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:databrain#sales',
      JWT_SECRET_ENCODING: 'base64',
      REDIS_URL: 'rediss://redis.example.com',
    };
    expect(isValid({ settings }), JSON.stringify(isValid.errors)).toBe(true);
  });
});

describe.skipIf(!hasChartTools)(`the rendered chart${chartReason}`, () => {
  it.each(variants)('passes its linter and Kubernetes’ schemas with %s values', (_name, path) => {
    const lint = helm('lint', '--strict', chartFolder, '--values', path);
    expect(lint.status, `${lint.out}${lint.err}`).toBe(0);
    for (const upgrade of [[], ['--is-upgrade']]) {
      const { problems, unknownKinds } = validate(render([path], ...upgrade));
      expect(problems).toEqual([]);
      for (const kind of unknownKinds) expect(['HTTPRoute', 'PrometheusRule', 'ServiceMonitor']).toContain(kind);
    }
  });

  it.each(variants)(
    'runs every container of %s values as a user without rights, read-only, without capabilities, within limits',
    (_name, path) => {
      const pods = resourcesIn(render([path])).flatMap((resource) => podSpecOf(resource) ?? []);
      expect(pods.length).toBeGreaterThan(1);
      for (const pod of pods) {
        expect(pod).toMatchObject({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
        });
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources.limits).toHaveProperty('memory');
          for (const mount of container.volumeMounts ?? []) {
            const isArchive = container.name === 'proxy' && mount.mountPath === archiveFolder;
            expect(mount.readOnly).toBe(isArchive ? undefined : true);
            expect(mount.subPath).toBeUndefined();
          }
        }
      }
    },
  );

  it.each([
    ['minimal', minimal],
    ['everything', everything],
    ['issuers', issuers],
  ])('gives the proxy settings, a policy and tests that it accepts, with %s values', (_name, path) => {
    const resources = resourcesIn(render([path]));
    const pod = podSpecOf(one(resources, 'Deployment'));
    const policies = one(resources, 'ConfigMap', 'release-guest-token-proxy-policy').data ?? {};
    const { settings, policy } = loadConfiguration(envOf(pod?.containers[0]), (file) => {
      const name = file.split('/').at(-1) ?? '';
      if (file.startsWith('/run/secrets/') || file.startsWith('/mnt/secrets/'))
        return Buffer.from(name === 'redis-url' ? 'rediss://:longpassword@redis' : randomUUID());
      const text = policies[name];
      if (text === undefined) throw new Error(`not mounted: ${file}`);
      return Buffer.from(text);
    });
    expect(settings.insecure).toEqual([]);
    expect(policy.policy.lint).toEqual([]);
    expect(settings.admin).toMatchObject({ host: '0.0.0.0', port: 9090 });
    const { drainSeconds, graceSeconds } = settings.shutdown;
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drainSeconds + graceSeconds + 5);
  });

  it.each(variants)('sets only variables that the program knows, with %s values', (_name, path) => {
    const env = envOf(podSpecOf(one(resourcesIn(render([path])), 'Deployment'))?.containers[0]);
    expect(Object.keys(env).length).toBeGreaterThan(3);
    expect(unknownVariables(env)).toEqual([]);
  });

  it('reads the API key from Vault with a token for Vault only', () => {
    const pod = podSpecOf(one(resourcesIn(render([vault])), 'Deployment'));
    expect(envOf(pod?.containers[0])).toMatchObject({
      DATABRAIN_API_KEY_VAULT: 'secret/databrain#api-key',
      VAULT_ADDR: 'https://vault.example.com:8200',
      VAULT_K8S_ROLE: 'guest-token-proxy',
      VAULT_CACERT: '/etc/guest-token-proxy-vault-ca/ca.crt',
    });
    expect(pod?.volumes).toContainEqual({
      name: 'vault-token',
      projected: {
        defaultMode: 0o440,
        sources: [{ serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 3600 } }],
      },
    });
    expect(resourcesIn(render([vault])).filter(({ kind }) => kind === 'Job')).toEqual([]);
    const job = one(resourcesIn(render([vault], '--is-upgrade')), 'Job', 'release-guest-token-proxy-preflight');
    expect(podSpecOf(job)).toMatchObject({ serviceAccountName: 'release-guest-token-proxy' });
  });

  it('checks settings, policy and tests with the new image before any change', () => {
    const resources = resourcesIn(render([everything]));
    const job = one(resources, 'Job', 'release-guest-token-proxy-preflight');
    const deployment = podSpecOf(one(resources, 'Deployment'));
    const pod = podSpecOf(job);
    expect(job.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    expect(job.spec).toMatchObject({ backoffLimit: 0 });
    const steps = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
    expect(steps.map(({ args }) => args)).toEqual([
      ['test', '/etc/guest-token-proxy/sales.policy-test.yaml'],
      ['check', '--strict'],
    ]);
    for (const step of steps) {
      expect(step.image).toBe(deployment?.containers[0]?.image);
      expect({ ...envOf(step), POLICY_ARCHIVE_DIR: archiveFolder }).toEqual(envOf(deployment?.containers[0]));
    }
    const ownPolicy = one(resources, 'ConfigMap', 'release-guest-token-proxy-preflight');
    expect(ownPolicy.data).toEqual(one(resources, 'ConfigMap', 'release-guest-token-proxy-policy').data);
    const weight = (resource: Resource): number => Number(resource.metadata.annotations?.['helm.sh/hook-weight']);
    expect(weight(ownPolicy)).toBeLessThan(weight(job));
  });

  it('stores the used policies in the only folder that the image may write to', () => {
    const pod = podSpecOf(one(resourcesIn(render([everything])), 'Deployment'));
    const mount = pod?.containers[0]?.volumeMounts?.find(({ mountPath }) => mountPath === archiveFolder);
    expect(mount).toEqual({ name: 'policy-archive', mountPath: archiveFolder });
    expect(pod?.volumes).toContainEqual({
      name: 'policy-archive',
      persistentVolumeClaim: { claimName: 'guest-token-policies' },
    });
    expect(readFileSync('Dockerfile', 'utf8')).toContain(`"--allow-fs-write=${archiveFolder}/*"`);
    expect(render([minimal])).not.toContain(archiveFolder);
  });

  it('names the image by digest if one is set, otherwise by the version', () => {
    const imageOf = (path: string): string | undefined =>
      podSpecOf(one(resourcesIn(render([path])), 'Deployment'))?.containers[0]?.image;
    expect(imageOf(everything)).toMatch(/^registry\.example\.com\/guest-token-proxy@sha256:[0-9a-f]{64}$/);
    expect(imageOf(minimal)).toBe(`guest-token-proxy:${packageJson.version}`);
  });

  it('lets the Service, the budget and the network policy select only the pods of the proxy', () => {
    const resources = resourcesIn(render([everything]));
    const labels = (one(resources, 'Deployment').spec as { template: { metadata: { labels: object } } }).template
      .metadata.labels;
    const selectors = [
      (one(resources, 'Service').spec as { selector: object }).selector,
      (one(resources, 'PodDisruptionBudget').spec as { selector: { matchLabels: object } }).selector.matchLabels,
      (one(resources, 'NetworkPolicy').spec as { podSelector: { matchLabels: object } }).podSelector.matchLabels,
      (one(resources, 'Deployment').spec as { selector: { matchLabels: object } }).selector.matchLabels,
    ];
    for (const selector of selectors) {
      expect(labels).toMatchObject(selector);
      expect(one(resources, 'Pod', 'release-guest-token-proxy-test').metadata.labels).not.toMatchObject(selector);
    }
  });

  it('exposes only the public paths, and the admin port only to the monitoring', () => {
    const resources = resourcesIn(render([everything]));
    const ingress = JSON.stringify(one(resources, 'Ingress').spec);
    const route = JSON.stringify(one(resources, 'HTTPRoute').spec);
    for (const path of ['/guest-token', '/guest-token.js', '/openapi.yaml'])
      for (const spec of [ingress, route]) expect(spec).toContain(`"${path}"`);
    for (const spec of [ingress, route]) expect(spec).not.toMatch(/Prefix|metrics|9090|admin/);
    expect(one(resources, 'Service').spec['ports']).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
    const { ingress: rules, egress } = one(resources, 'NetworkPolicy').spec as {
      ingress: readonly { from?: readonly object[] }[];
      egress: readonly object[];
    };
    for (const rule of rules) expect(rule.from?.length).toBeGreaterThan(0);
    expect(egress).not.toContainEqual({});
  });

  it('provides the alert rules for the Prometheus operator, and promtool accepts them', () => {
    const rule = one(resourcesIn(render([everything])), 'PrometheusRule');
    expect(rule.spec).toEqual(parse(readFileSync('deploy/prometheus/guest-token-proxy.rules.yaml', 'utf8')));
    const path = join(scratch, 'rules.yaml');
    writeFileSync(path, stringify(rule.spec));
    expect(spawnSync('promtool', ['check', 'rules', path]).status).toBe(0);
    const monitor = one(resourcesIn(render([everything])), 'ServiceMonitor').spec as {
      selector: { matchLabels: object };
    };
    const service = one(resourcesIn(render([everything])), 'Service', 'release-guest-token-proxy-metrics');
    expect(service.metadata.labels).toMatchObject(monitor.selector.matchLabels);
  });

  it.each([
    [
      'no policy',
      { settings: { JWT_ISSUER: 'https://a.example/' }, secrets: { existingSecret: 's' } },
      /policy\.inline/,
    ],
    ['no issuer', { policy: { inline: 'version: 1' }, secrets: { existingSecret: 's' } }, /settings\.JWT_ISSUER/],
    [
      'no API key',
      { policy: { inline: 'version: 1' }, settings: { JWT_ISSUER: 'https://a.example/' } },
      /secrets\.existingSecret/,
    ],
    [
      'a secret in the issuers',
      {
        policy: { inline: 'version: 1' },
        issuers: '- { issuer: https://a.example/, audience: a, "secret": text }',
        secrets: { existingSecret: 's' },
      },
      /issuers must not hold a secret/,
    ],
    ['a misspelt value', { replicas: 2 }, /replicas/],
  ])('cannot be installed with %s, and names what is missing', (_title, values, message) => {
    expect(() => render([valuesFile(values)])).toThrow(message);
  });

  it('is packaged with the rules and the dashboard', () => {
    const packaged = helm('package', chartFolder, '--destination', scratch);
    expect(packaged.status, packaged.err).toBe(0);
    const archive = join(scratch, `guest-token-proxy-${packageJson.version}.tgz`);
    const text = spawnSync('tar', ['-xzOf', archive, 'guest-token-proxy/files/guest-token-proxy.rules.yaml'], {
      encoding: 'utf8',
    });
    expect(text.stdout).toBe(readFileSync('deploy/prometheus/guest-token-proxy.rules.yaml', 'utf8'));
    const names = spawnSync('tar', ['-tzf', archive], { encoding: 'utf8' }).stdout;
    expect(names).not.toContain('/ci/');
  });
});
