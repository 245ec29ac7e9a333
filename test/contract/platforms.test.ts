// The recipes for ECS, Cloud Run, Azure Container Apps and Fly: they parse, their settings are valid, their
// stop time is long enough, they have no secret, and the image has a digest. They are not deployed.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfiguration } from '../../src/config/load-configuration.ts';
import { unknownVariables } from '../../src/config/refused-variables.ts';
import { needs } from '../support/vitest/needs.ts';

interface Recipe {
  readonly env: Readonly<Record<string, string>>;
  readonly image: string;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly stopSeconds: number;
  readonly text: string;
}

type Pairs = readonly { readonly name: string; readonly value: string }[];
const toEnv = (pairs: Pairs): Readonly<Record<string, string>> =>
  Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
const read = (path: string): string => readFileSync(path, 'utf8');

function readEcs(): Recipe {
  const text = read('deploy/ecs/task-definition.json');
  const { containerDefinitions } = JSON.parse(text) as {
    containerDefinitions: [
      {
        environment: Pairs;
        image: string;
        stopTimeout: number;
        readonlyRootFilesystem: boolean;
        logConfiguration: { options: Record<string, string> };
      },
    ];
  };
  const [container] = containerDefinitions;
  expect(container.readonlyRootFilesystem).toBe(true);
  // Any other mode drops audit lines while CloudWatch is slow.
  expect(container.logConfiguration.options['mode']).toBe('blocking');
  return { env: toEnv(container.environment), image: container.image, stopSeconds: container.stopTimeout, text };
}

function readCloudRun(): Recipe {
  const text = read('deploy/cloud-run/service.yaml');
  const { spec } = parse(text) as {
    spec: { template: { spec: { containers: [{ env: Pairs; image: string }] } } };
  };
  const [container] = spec.template.spec.containers;
  return { env: toEnv(container.env), image: container.image, stopSeconds: 10, text };
}

function readAzure(): Recipe {
  const text = read('deploy/azure/container-app.yaml');
  const { properties } = parse(text) as {
    properties: { template: { terminationGracePeriodSeconds: number; containers: [{ env: Pairs; image: string }] } };
  };
  const [container] = properties.template.containers;
  const { terminationGracePeriodSeconds: stopSeconds } = properties.template;
  return { env: toEnv(container.env), image: container.image, stopSeconds, text };
}

const toJson = 'import json,sys,tomllib; print(json.dumps(tomllib.load(sys.stdin.buffer)))';
const hasToml = spawnSync('python3', ['-c', 'import tomllib']).status === 0;

function readFly(): Recipe {
  const text = read('deploy/fly/fly.toml');
  const { stdout } = spawnSync('python3', ['-c', toJson], { input: text, encoding: 'utf8' });
  const { env, build, kill_timeout } = JSON.parse(stdout) as {
    env: Record<string, string>;
    build: { image: string };
    kill_timeout: string;
  };
  return { env, image: build.image, stopSeconds: Number(kill_timeout.replace(/s$/, '')), text };
}

const recipes: readonly (readonly [string, () => Recipe, boolean])[] = [
  ['ECS', readEcs, true],
  ['Cloud Run', readCloudRun, true],
  ['Azure Container Apps', readAzure, true],
  ['Fly', readFly, hasToml],
];

describe.each(recipes)('the recipe for %s', (_name, recipe, canRead) => {
  const title = (text: string): string => `${text}${needs(canRead, 'python3')}`;

  it.skipIf(!canRead)(title('sets only variables that the program knows and accepts'), () => {
    const { env } = recipe();
    expect(unknownVariables(env)).toEqual([]);
    const isStored = Object.keys(env).some((name) => /_(AWS|GCP|AZURE)_SECRET$/.test(name));
    // Replace references to secrets by values.
    const own = Object.fromEntries(Object.entries(env).filter(([name]) => !/_(AWS|GCP|AZURE)_SECRET$/.test(name)));
    const key = isStored || env['DATABRAIN_API_KEY_FILE'] === undefined ? { DATABRAIN_API_KEY: randomUUID() } : {};
    const { settings, policy } = loadConfiguration({ ...own, ...key }, (path) =>
      path === env['POLICY_FILE'] ? readFileSync('deploy/policy/policy.yaml') : Buffer.from(`${randomUUID()}\n`),
    );
    expect(settings.insecure).toEqual([]);
    expect(policy.policy.lint).toEqual([]);
  });

  it.skipIf(!canRead)(title('gives it more time to stop than drain and grace need'), () => {
    const { env, stopSeconds } = recipe();
    const needed = Number(env['SHUTDOWN_DRAIN_SECONDS']) + Number(env['SHUTDOWN_GRACE_SECONDS']);
    expect(needed).toBeGreaterThan(0);
    expect(stopSeconds).toBeGreaterThan(needed);
  });

  it.skipIf(!canRead)(title('names the image by digest, and contains no secret'), () => {
    const { env, image, text } = recipe();
    expect(image).toMatch(/@sha256:[0-9a-f]{64}$/);
    for (const name of Object.keys(env))
      expect(name).not.toMatch(/^(DATABRAIN_API_KEY(?!.*_(FILE|SECRET)$)\w*|JWT_SECRET|REDIS_URL)$/);
    expect(text).not.toMatch(/BEGIN [A-Z ]*PRIVATE KEY/);
  });

  it.skipIf(!canRead)(title('checks health with /readyz or /livez'), () => {
    expect(recipe().text).toMatch(/\/readyz|healthcheck/);
  });
});
