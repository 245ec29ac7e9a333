// `clientIdPattern` and `filterValuePattern`: regular expressions that run on text from claims, in time linear in the
// text whatever the pattern. A subset of JavaScript's syntax becomes states that are followed all at once (Thompson's
// construction); nothing backtracks. ^ and $ enclose the whole pattern, so no alternative escapes them.
import { createMatcher, type Matcher, type State } from './pattern-matcher.ts';
import { PatternProblem, PatternReader, type PatternNode } from './pattern-syntax.ts';

const mostStates = 1000;

function build(node: PatternNode): { states: State[]; end: number } {
  const states: State[] = [{ to: [] }];
  const add = (): number => {
    if (states.length >= mostStates) throw new PatternProblem('its counts make it too large');
    return states.push({ to: [] }) - 1;
  };
  const free = (from: number, to: number): void => void states[from]?.to.push(to);

  /** Adds what leads from a state over the node to the state that it returns. */
  const follow = (part: PatternNode, from: number): number => {
    switch (part.kind) {
      case 'character': {
        const [over, to] = [add(), add()];
        free(from, over);
        const state = states[over];
        if (state !== undefined) state.test = part.test;
        free(over, to);
        return to;
      }
      case 'sequence':
        return part.parts.reduce((at, inner) => follow(inner, at), from);
      case 'choice': {
        const ends = part.parts.map((inner) => follow(inner, from));
        const to = add();
        for (const at of ends) free(at, to);
        return to;
      }
      case 'repeat': {
        let at = from;
        for (let i = 0; i < part.least; i += 1) at = follow(part.part, at);
        if (part.most === Infinity) {
          const loop = add();
          free(at, loop);
          free(follow(part.part, loop), loop);
          return loop;
        }
        const to = add();
        for (let i = part.least; i < part.most; i += 1) {
          free(at, to);
          at = follow(part.part, at);
        }
        free(at, to);
        return to;
      }
    }
  };
  const end = follow(node, 0);
  return { states, end };
}

/**
 * Compiles a pattern between ^ and $ to a test of a whole text, by code points as with JavaScript's `u` flag.
 * Throws PatternProblem for what is not in the subset: look-around, back-references, classes by property, nested anchors.
 */
export function compileAnchoredPattern(source: string): Matcher {
  if (!/^\^[\s\S]*\$$/.test(source)) throw new PatternProblem('it must begin with ^ and end with $');
  if (/(?:^|[^\\])(?:\\\\)*\\\$$/.test(source)) throw new PatternProblem('its last $ is escaped');
  const { states, end } = build(new PatternReader(source.slice(1, -1)).read());

  return createMatcher(states, end);
}
