// Creates the npm package from the built files: the files in package.json, and its manifest without entries that only
// this repository needs. The program is bundled, so the package has no dependencies.
//   node .ci/npm-package.ts <folder for the archive>
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

const ofTheRepository = ['dependencies', 'devDependencies', 'scripts', 'allowScripts'];

/** Packs the build of the repository in `root`. Returns the archive's path. Throws with npm's output. */
export function packBuild(root: string, destination: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-package-'));
  try {
    for (const file of packageJson.files) cpSync(join(root, file), join(folder, file), { recursive: true });
    const manifest = Object.entries(packageJson).filter(([member]) => !ofTheRepository.includes(member));
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(Object.fromEntries(manifest), null, 2)}\n`);
    const args = ['pack', '--ignore-scripts', '--pack-destination', resolve(destination)];
    const { status, stdout, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return join(resolve(destination), stdout.trim());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [destination] = process.argv.slice(2);
  if (destination === undefined) throw new Error('name the folder for the archive');
  process.stdout.write(`${packBuild(join(import.meta.dirname, '..'), destination)}\n`);
}
