// Loaded into the replicas of the load run: whatever comes on standard input collects all garbage, so that what is kept
// in memory can be told from what merely has not been collected yet.
process.stdin.on('data', () => globalThis.gc?.());
