// Loaded into the proxy's process by the demo. Ends the process when the demo has ended, even if it was killed.
process.stdin.on('close', () => process.exit());
process.stdin.resume();
process.stdin.unref();
