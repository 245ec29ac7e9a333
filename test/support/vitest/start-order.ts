// The order in which test files start: part by part and folder by folder, and in these the longest first, so that no
// core is idle at the end while one file still runs. Vitest remembers the durations of an earlier run; the list below
// replaces them on a new machine.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders of the last part; unit tests come before them. */
const folders = ['/test/contract/', '/test/fault/', '/test/e2e/'];

/** Files of five seconds and more. Those that mostly wait and those that mostly compute take turns. */
const longest = [
  'secrets/vault-store',
  'contract/metrics',
  'contract/api/service',
  'contract/api/fuzz',
  'fault/upstream-time',
  'fault/upstream-hang',
  'fault/upstream-connections',
  'fault/upstream-retry',
  'fault/upstream-connection',
  'e2e/browser/component',
  'e2e/http/connections',
  'e2e/lifecycle-under-load',
  'e2e/http/unread-log',
  'e2e/redis/link',
  'e2e/authn/key-sets',
  'e2e/demo-process',
  'e2e/policy-files',
  'e2e/secret-stores',
  'e2e/authn/issuers',
  'e2e/deployment/npm-package',
  'e2e/browser/tokens',
  'e2e/authn/settings',
  'e2e/browser/playground',
  'e2e/browser/demo-page',
  'e2e/tracing',
  'e2e/lifecycle',
  'e2e/redis/topologies',
  'e2e/secret-files',
  'e2e/redis/replicas',
  'e2e/http/connection-resets',
  'e2e/start',
  'e2e/egress',
  'e2e/deployment/dashboard',
  'e2e/key-rotation',
  'e2e/http/edge',
  'e2e/redis/tokens',
  'e2e/browser/element',
  'e2e/http/edge-settings',
  'e2e/http/refusals',
  'e2e/authn/tls',
  'e2e/commands',
  'e2e/redis/lock',
];

const folderOf = ({ moduleId }: TestSpecification): number => folders.findIndex((folder) => moduleId.includes(folder));

/** First those of the list, in its order. */
function rank({ moduleId }: TestSpecification): number {
  const at = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return at === -1 ? longest.length : at;
}

export class StartOrder extends BaseSequencer {
  override async sort(files: readonly TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort([...files]);
    return sorted.sort(
      (a, b) =>
        a.project.config.sequence.groupOrder - b.project.config.sequence.groupOrder ||
        folderOf(a) - folderOf(b) ||
        rank(a) - rank(b),
    );
  }
}
