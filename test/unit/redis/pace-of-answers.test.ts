import { afterEach, describe, expect, it } from 'vitest';
import { createPaceOfAnswers, type PaceOfAnswers } from '../../../src/redis/pace-of-answers.ts';

describe('the pace of answers from Redis', () => {
  let pace: PaceOfAnswers;
  const start = (slowMs: number): PaceOfAnswers => (pace = createPaceOfAnswers(slowMs));
  afterEach(() => pace.close());

  it('is slow when answers take too long on average, not for a single one', () => {
    start(16).record(60);
    expect(pace.isSlow()).toBe(false);
    for (let count = 0; count < 8; count += 1) pace.record(30);
    expect(pace.isSlow()).toBe(true);
    pace.restart(1);
    expect(pace.isSlow()).toBe(false);
  });

  it('does not hold a busy process against Redis', async () => {
    start(16);
    for (let count = 0; count < 5; count += 1) {
      const end = performance.now() + 60;
      while (performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (let count = 0; count < 20; count += 1) pace.record(40);
    expect(pace.isSlow(), 'as long as nobody looked at the loop').toBe(true);
    pace.lookAtLoop();
    expect(pace.isSlow()).toBe(false);
    expect(pace.isQuick(40)).toBe(true);
  });
});
