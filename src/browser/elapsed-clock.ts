// Milliseconds that have passed, for lifetimes that a server stated as a duration. The monotonic clock of a browser may
// stand still while the machine sleeps, so a jump of the wall clock ahead of it counts as sleep. A wrong wall clock
// changes nothing; one that is set forward looks like sleep and costs one early renewal.

export function createElapsedClock(): () => number {
  /** Smaller differences between the two clocks are rounding and drift. */
  const sleepMs = 1_000;
  let elapsed = 0;
  let monotonic = performance.now();
  let wall = Date.now();
  return () => {
    const passed = performance.now() - monotonic;
    const passedOnWall = Date.now() - wall;
    monotonic += passed;
    wall += passedOnWall;
    return (elapsed += passedOnWall > passed + sleepMs ? passedOnWall : passed);
  };
}
