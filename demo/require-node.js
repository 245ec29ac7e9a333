// Runs on any Node.js and prints the fix if it is too old for this project. Otherwise, the first import of a .ts file
// would fail with a message about file extensions. Every script of package.json that runs a .ts file starts with it.
import { readFileSync } from 'node:fs';

const { engines, devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const needed = engines.node.replace('>=', '');
const [major, minor] = process.versions.node.split('.').map(Number);
const [neededMajor, neededMinor] = needed.split('.').map(Number);

if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  process.stderr.write(`This needs Node.js ${needed} or newer, and this is Node.js ${process.versions.node}.

npm ci installs Node.js ${devDependencies.node} for this project, unless install scripts are switched off. Then run:

  npm ci --ignore-scripts=false

Or use a Node.js of your own, ${needed} or newer.
`);
  process.exit(1);
}
