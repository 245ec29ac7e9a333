// npm run schema: writes policy.schema.json and the parts of docs/ that are generated from tables of the code.
import { writeFileSync } from 'node:fs';
import { documents } from './documents.ts';

const root = new URL('../', import.meta.url);
for (const { file, text } of documents(root)) writeFileSync(new URL(file, root), text);
