// Waiting for what comes by itself, without guessing how long it takes.

export const until = async (condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> => {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
