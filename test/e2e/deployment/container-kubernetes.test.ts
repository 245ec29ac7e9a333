// deploy/: the service accepts the settings and policies of manifest and unit, and they have the restrictions of
// deployment.md.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfiguration } from '../../../src/config/load-configuration.ts';
import { proxySettings } from '../../support/programs/compose-file.ts';

interface Container {
  readonly securityContext: unknown;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
  readonly readinessProbe: unknown;
  readonly livenessProbe: unknown;
  readonly volumeMounts: readonly {
    readonly mountPath: string;
    readonly readOnly: boolean;
    readonly subPath?: string;
  }[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
  readonly spec: {
    readonly template: {
      readonly spec: Readonly<Record<string, unknown>> & {
        readonly containers: readonly [Container];
        readonly terminationGracePeriodSeconds: number;
      };
    };
    readonly egress: readonly unknown[];
  };
}

const manifests = parseAllDocuments(readFileSync('deploy/kubernetes/guest-token-proxy.yaml', 'utf8')).map(
  (document) => document.toJS() as Manifest,
);

function manifest(kind: string, name = 'guest-token-proxy'): Manifest {
  const found = manifests.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** Reads files as a container with these volumes would. */
const filesFrom =
  (files: Readonly<Record<string, string>>) =>
  (path: string): Buffer => {
    const text = files[path];
    if (text === undefined) throw new Error(`not mounted: ${path}`);
    return Buffer.from(text);
  };

describe('the Kubernetes manifest', () => {
  const pod = manifest('Deployment').spec.template.spec;
  const [container] = pod.containers;
  const settings = manifest('ConfigMap', 'guest-token-proxy-settings').data;

  it('has settings and a policy that the service accepts', () => {
    const { settings: loaded, policy } = loadConfiguration(
      settings,
      filesFrom({
        '/etc/guest-token-proxy/policy.yaml':
          manifest('ConfigMap', 'guest-token-proxy-policy').data['policy.yaml'] ?? '',
        '/run/secrets/guest-token-proxy/databrain-api-key': `${randomUUID()}\n`,
      }),
    );
    expect(loaded.insecure).toEqual([]);
    expect(policy.path).toBe('/etc/guest-token-proxy/policy.yaml');
  });

  it('runs unprivileged, read-only, without capabilities or a service account, within limits', () => {
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(container.resources.limits).toHaveProperty('memory');
    expect(manifest('NetworkPolicy').spec.egress).not.toContainEqual({});
    expect(manifest('PodDisruptionBudget').spec).toMatchObject({ minAvailable: 1 });
  });

  it('uses /livez for restarts and /readyz for traffic, on the public port', () => {
    expect(container.livenessProbe).toMatchObject({ httpGet: { path: '/livez', port: 'http' } });
    expect(container.readinessProbe).toMatchObject({ httpGet: { path: '/readyz', port: 'http' } });
  });

  it('mounts whole folders, which are updated with a changed policy or secret', () => {
    for (const mount of container.volumeMounts) {
      expect(mount.readOnly).toBe(true);
      expect(mount.subPath).toBeUndefined();
    }
  });

  it('has a longer stop time than drain and grace', () => {
    const seconds = Number(settings['SHUTDOWN_DRAIN_SECONDS']) + Number(settings['SHUTDOWN_GRACE_SECONDS']);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds + 5);
  });
});

describe('the compose file’s proxy', () => {
  it('has settings and a policy that the service accepts', () => {
    const { settings: loaded, policy } = loadConfiguration(
      proxySettings(),
      filesFrom({
        '/etc/guest-token-proxy/policy.yaml': readFileSync('deploy/policy/policy.yaml', 'utf8'),
        '/run/secrets/databrain-api-key': `${randomUUID()}\n`,
      }),
    );
    expect(loaded.insecure).toEqual([]);
    expect(policy.path).toBe('/etc/guest-token-proxy/policy.yaml');
  });
});

describe('the systemd unit', () => {
  const unit = readFileSync('deploy/systemd/guest-token-proxy.service', 'utf8');
  const value = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];

  it('gets the API key as a credential and runs as a separate user without capabilities', () => {
    expect(value('LoadCredential')).toMatch(/^databrain-api-key:\//);
    expect(unit).toContain('\nEnvironment=DATABRAIN_API_KEY_FILE=%d/databrain-api-key\n');
    expect(value('DynamicUser')).toBe('yes');
    expect(value('CapabilityBoundingSet')).toBe('');
    expect(value('NoNewPrivileges')).toBe('yes');
    expect(value('ProtectSystem')).toBe('strict');
  });

  it('starts the program like the image, and does not restart it after a configuration problem', () => {
    const entrypoint = [...readFileSync('Dockerfile', 'utf8').matchAll(/^ENTRYPOINT (\[.*\])$/gm)].at(-1)?.[1] ?? '[]';
    const flags = (JSON.parse(entrypoint) as string[]).filter((word) => word.startsWith('--'));
    expect(flags).not.toEqual([]);
    expect(value('ExecStart')).toBe(`/usr/bin/node ${flags.join(' ')} /opt/guest-token-proxy/dist/main.js serve`);
    expect(value('RestartPreventExitStatus')).toBe('78');
  });
});
