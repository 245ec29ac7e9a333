// Programs that some tests need in addition to Node.js. The title of a skipped test names them; npm test lists once, at
// the end, how to install them.

/** Name in the titles → where it comes from. */
const sources = {
  'redis-server': 'Debian',
  chromium: 'Debian',
  haproxy: 'Debian',
  nginx: 'Debian: nginx-light',
  prometheus: 'Debian',
  tinyproxy: 'Debian: tinyproxy-bin',
  curl: 'Debian',
  openssl: 'Debian',
  python3: 'Debian, 3.11 or later',
  helm: '.ci/build-tools',
  actionlint: '.ci/build-tools',
  'kubernetes-validate': '.ci/build-tools',
  zizmor: '.ci/build-tools',
  schemathesis: 'PyPI',
  jq: 'Debian',
  TEST_NODE_22: 'the path of a Node.js 22.19',
  TEST_NODE_26: 'the path of a Node.js 26',
  'a Docker engine': 'on Linux',
  'docker compose': '.ci/build-tools',
  Linux: '',
} as const;

export type Need = keyof typeof sources;

/** Appended to the title of a test that is skipped if `isMet` is false. */
export const needs = (isMet: boolean, ...what: readonly Need[]): string =>
  isMet ? '' : ` (needs ${what.join(' and ')})`;

/** One line about skipped tests, by their full names: how many, and what to install. */
export function summarizeSkipped(names: readonly string[]): string {
  const missing = names.flatMap((name) =>
    [...name.matchAll(/\(needs ([^()]+)\)/g)].flatMap(([, what = '']) => what.split(' and ')),
  );
  const bySource = new Map<string, string[]>();
  for (const what of [...new Set(missing)].sort()) {
    const source = Object.hasOwn(sources, what) ? sources[what as Need] : '';
    bySource.set(source, [...(bySource.get(source) ?? []), what]);
  }
  const install = [...bySource].map(([source, all]) => all.join(', ') + (source === '' ? '' : ` (${source})`));
  return `${names.length} skipped: install ${install.join('; ')}`;
}
