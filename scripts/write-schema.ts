// npm run schema: writes policy.schema.json and the table of the request's fields in docs/policy.md.
import { writeFileSync } from 'node:fs';
import { policyDocuments } from './policy-documents.ts';

const root = new URL('../', import.meta.url);
for (const { file, text } of policyDocuments(root)) writeFileSync(new URL(file, root), text);
