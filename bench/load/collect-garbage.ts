// Loaded into the replicas of the load run. Any input on standard input starts a garbage collection, so that the memory
// in use can be measured without garbage.
process.stdin.on('data', () => globalThis.gc?.());
