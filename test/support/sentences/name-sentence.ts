// Names the sentences that the program writes, so that tests assert which problem is reported and where, without its
// wording. Only the tables in this folder contain the wording: a better sentence is one changed line.
import { expect } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { LoadProblem, type Problem } from '../../../src/problem.ts';
import { authnSentences } from './authn-sentences.ts';
import { commandSentences } from './command-sentences.ts';
import { demoSentences } from './demo-sentences.ts';
import { policySentences } from './policy-sentences.ts';
import { secretSentences } from './secret-sentences.ts';

/**
 * Sentences by name. `{}` stands for a part that varies, such as a name or a path. A `{}` at the start is the subject,
 * which may be absent: a rule says "is too long", and its caller of what.
 */
export type Sentences = Readonly<Record<string, string>>;

export const tables: readonly Sentences[] = [
  policySentences,
  authnSentences,
  secretSentences,
  commandSentences,
  demoSentences,
];

export const sentences: Sentences = Object.assign({}, ...tables) as Sentences;

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** A sentence as a pattern; its first group is the subject. */
function toPattern(sentence: string): RegExp {
  const parts = sentence.split('{}').map(escaped);
  const hasSubject = parts[0] === '' && parts[1]?.startsWith(' ') === true;
  const predicate = hasSubject ? parts.slice(1).join('(.*?)').slice(1) : parts.join('(.*?)');
  return new RegExp(`^${hasSubject ? '(?:(.*?) )?' : '()'}${predicate}$`, 's');
}

/** The longest part of a sentence that does not vary. */
const fixedPartOf = (sentence: string): string =>
  sentence
    .split('{}')
    .reduce((longest, part) => (part.length > longest.length ? part : longest), '')
    .trim();

/** The longest first: the row with the most text of the sentence gives the name. */
const patterns = Object.entries(sentences)
  .toSorted(([, a], [, b]) => b.length - a.length)
  .map(([name, sentence]) => ({ name, fixedPart: fixedPartOf(sentence), pattern: toPattern(sentence) }));

/**
 * `unknownKey(expires, dataApps.sales)`: the name of the whole sentence with its varying parts, which may be sentences
 * too; an unknown sentence itself.
 */
export function nameSentence(text: string): string {
  const matches = patterns.flatMap(({ name, fixedPart, pattern }) => {
    // Nearly all patterns fail here, and are never compiled.
    const match = text.includes(fixedPart) ? pattern.exec(text) : null;
    if (match === null) return [];
    const [, subject = '', ...parts] = match;
    return [{ name, subject, parts }];
  });
  const [best] = matches.toSorted((a, b) => a.subject.length - b.subject.length);
  if (best === undefined) return text;
  const parts = best.subject === '' ? best.parts : [best.subject, ...best.parts];
  return parts.length === 0 ? best.name : `${best.name}(${parts.map(nameSentence).join(', ')})`;
}

/** The lines of an output, each named if it is a sentence. */
export const nameLines = (text: string): readonly string[] => text.trimEnd().split('\n').map(nameSentence);

/** `p.yaml:2:1 unknownKey(dataApp, the policy)`, if wanted followed by ` → didYouMean(dataApps)`. */
export function nameProblem({ location, problem, fix }: Problem, { withFix = false } = {}): string {
  const named = `${location} ${nameSentence(withoutExpression(problem))}`;
  return withFix ? `${named} → ${nameSentence(fix)}` : named;
}

/** A problem of an expression ends with the expression. */
const withoutExpression = (problem: string): string => problem.replace(/, in "[^]*"$/, '');

/** The name of the sentence in the error of this function. */
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

/** A result with its problem, if it has one, named. */
export const withNamedProblem = <T extends object>(result: T): T =>
  'problem' in result && typeof result.problem === 'string'
    ? { ...result, problem: nameSentence(result.problem) }
    : result;

/** The sentence of this name with these parts, to be found in a longer text. Its subject may be left out. */
export function sentenceOf(name: string, ...parts: readonly string[]): string {
  const [first = '', ...rest] = (sentences[name] ?? expect.unreachable(`no sentence is named ${name}`)).split('{}');
  if (parts.length === rest.length) return first + rest.map((text, i) => `${parts[i] ?? ''}${text}`).join('');
  const [predicate = '', ...others] = rest;
  return predicate.trimStart() + others.map((text, i) => `${parts[i] ?? ''}${text}`).join('');
}
