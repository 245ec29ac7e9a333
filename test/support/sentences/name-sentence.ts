// Names the sentences that the program writes, so that tests assert which problem is reported and where, and know no
// wording. The wording stands in the tables of this folder alone: a better sentence is one changed line.
import { ServiceError } from '../../../src/errors.ts';
import { LoadProblem, type Problem } from '../../../src/problem.ts';
import { authnSentences } from './authn-sentences.ts';
import { policySentences } from './policy-sentences.ts';

/** Sentences by name. `{}` stands for a part that varies, such as a name or a path. */
export type Sentences = Readonly<Record<string, string>>;

export const sentences: Sentences = { ...policySentences, ...authnSentences };

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The longest first: a sentence is named by the row that says most of it. */
const patterns = Object.entries(sentences)
  .map(([name, text]) => ({ name, length: text.length, parts: text.split('{}').map(escaped) }))
  .toSorted((a, b) => b.length - a.length)
  .map(({ name, parts }) => ({ name, pattern: new RegExp(`^${parts.join('(.*?)')}$`, 's') }));

/** `unknownKey(expires, dataApps.sales)`: the name of the whole sentence with its varying parts; an unknown one itself. */
export function nameSentence(text: string): string {
  for (const { name, pattern } of patterns) {
    const [, ...parts] = pattern.exec(text) ?? [];
    if (pattern.test(text)) return parts.length === 0 ? name : `${name}(${parts.join(', ')})`;
  }
  return text;
}

/** `p.yaml:2:1 unknownKey(dataApp, the policy)`, if wanted followed by ` → didYouMean(dataApps)`. */
export function nameProblem({ location, problem, fix }: Problem, { withFix = false } = {}): string {
  const named = `${location} ${nameSentence(withoutExpression(problem))}`;
  return withFix ? `${named} → ${nameSentence(fix)}` : named;
}

/** A problem of an expression ends with the expression. */
const withoutExpression = (problem: string): string => problem.replace(/, in "[^]*"$/, '');

/** The name of the sentence with which this fails. */
export function nameFailure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof LoadProblem) return nameSentence(error.problem);
    if (error instanceof ServiceError) return nameSentence(error.detail.problem ?? error.message);
    throw error;
  }
  return 'it did not fail';
}
