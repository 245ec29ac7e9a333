// Requests /livez repeatedly from a separate thread, so that work of the test's thread is not measured.
import { request } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const pauseMs = 5;

function probe(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    request({ host: '127.0.0.1', port, path: '/livez', agent: false }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - startedAt);
        else reject(new Error(`/livez answered ${response.statusCode}`));
      });
    })
      .on('error', reject)
      .end();
  });
}

/** Starts; `stop` waits for this many answers and returns their times in milliseconds, shortest first. */
export function startProber(port: number): { readonly stop: (atLeast: number) => Promise<readonly number[]> } {
  const worker = new Worker(new URL(import.meta.url), { workerData: port });
  const failed = new Promise<never>((_resolve, reject) => worker.once('error', reject));
  failed.catch(() => undefined);
  return {
    stop: (atLeast) => {
      const times = new Promise<readonly number[]>((resolve) => worker.once('message', resolve));
      worker.postMessage(atLeast);
      return Promise.race([times, failed]);
    },
  };
}

if (!isMainThread && typeof workerData === 'number') {
  const state = { enough: Infinity };
  parentPort?.once('message', (atLeast: number) => (state.enough = atLeast));
  const times: number[] = [];
  while (times.length < state.enough) {
    times.push(await probe(workerData));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  parentPort?.postMessage(times.sort((a, b) => a - b));
}
