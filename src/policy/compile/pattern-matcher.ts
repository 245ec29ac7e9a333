// Follows the states of a pattern over a text, all at once, so that the time is linear in the text. Where a character
// leads to from a set of states is remembered: texts that look alike cost a lookup for each of their characters.
import type { CharacterTest } from './pattern-syntax.ts';

/** A state goes on freely to `to`, or over a character that passes `test`. */
export interface State {
  readonly to: number[];
  test?: CharacterTest;
}

/** Whether the whole text matches. `pay` is told of the states visited on the way, and may throw to end it. */
export type Matcher = (text: string, pay?: (states: number) => void) => boolean;

/** The states that some text leads to, and where the next character leads to from there, by its code point. */
interface Step {
  readonly states: readonly number[];
  readonly accepts: boolean;
  readonly next: Map<number, Step>;
}

/** In states and characters; a few hundred kilobytes for each pattern. */
const mostRemembered = 32_768;

/** Creates the matcher of a pattern that begins in state 0 and accepts in state `end`. */
export function createMatcher(states: readonly State[], end: number): Matcher {
  const steps = new Map<string, Step>();
  let remembered = 0;

  /** The states of `seeds` and those that these lead to freely. */
  const closure = (seeds: readonly number[]): readonly number[] => {
    const reached = new Set(seeds);
    // A set goes on to what is added to it on the way.
    for (const at of reached) {
      const state = states[at];
      if (state !== undefined && state.test === undefined) for (const to of state.to) reached.add(to);
    }
    return [...reached].sort((a, b) => a - b);
  };

  const stepOf = (seeds: readonly number[]): Step => {
    const reached = closure(seeds);
    const name = reached.join();
    let step = steps.get(name);
    if (step === undefined) {
      step = { states: reached, accepts: reached.includes(end), next: new Map() };
      steps.set(name, step);
      remembered += reached.length;
    }
    return step;
  };

  let start = stepOf([0]);
  /** Nothing leads from the new start to the old steps. */
  const forget = (): void => {
    steps.clear();
    remembered = 0;
    start = stepOf([0]);
  };

  const follow = (from: Step, code: number): Step => {
    if (remembered >= mostRemembered) forget();
    const seeds = from.states.flatMap((at) => (states[at]?.test?.(code) === true ? (states[at]?.to ?? []) : []));
    const to = stepOf(seeds);
    from.next.set(code, to);
    remembered += 1;
    return to;
  };

  return (text, pay) => {
    let current = start;
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0;
      const known = current.next.get(code);
      pay?.(known === undefined ? 1 + current.states.length : 1);
      current = known ?? follow(current, code);
      if (current.states.length === 0) return false;
    }
    return current.accepts;
  };
}
