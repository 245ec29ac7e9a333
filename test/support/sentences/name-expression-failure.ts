// Names the failure of an expression: the sentence, and the claim in the audit log. Other errors do not count as the
// failure of an expression: a bug, a time-out and a refusal for another reason are rethrown.
import { isExpressionFailure } from '../../../src/policy/expression/evaluation.ts';
import { nameSentence } from './name-sentence.ts';

/** `operatorTypes(<, null, bool), claim z`; without a responsible claim only the name of the sentence. */
export function nameExpressionFailure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!isExpressionFailure(error) || error.code !== 'ACCESS_DENIED') throw error;
    const { problem = 'no problem', claim } = error.detail;
    return claim === undefined ? nameSentence(problem) : `${nameSentence(problem)}, claim ${claim}`;
  }
  return 'it did not fail';
}
