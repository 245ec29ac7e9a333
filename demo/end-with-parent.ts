// Loaded into the proxy's process by the demo: ends it when the demo is gone, even if that was killed outright.
process.stdin.on('close', () => process.exit());
process.stdin.resume();
process.stdin.unref();
