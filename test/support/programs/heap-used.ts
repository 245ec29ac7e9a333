// The heap of a running process, by Node's inspector: start it with `--inspect=127.0.0.1:0`.
import type { Program } from './program.ts';

/** Collects garbage and returns the bytes of heap in use. */
export async function heapUsed({ output }: Program): Promise<number> {
  const url = /Debugger listening on (ws:\S+)/.exec(output())?.[1];
  if (url === undefined) throw new Error('the process was started without --inspect');
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the inspector cannot be reached')));
  });
  const call = (method: string): Promise<unknown> =>
    new Promise((resolve) => {
      socket.addEventListener(
        'message',
        ({ data }) => resolve((JSON.parse(String(data)) as { readonly result?: unknown }).result),
        { once: true },
      );
      socket.send(JSON.stringify({ id: 1, method }));
    });
  // The second collection frees what finalizers released.
  await call('HeapProfiler.collectGarbage');
  await call('HeapProfiler.collectGarbage');
  const { usedSize } = (await call('Runtime.getHeapUsage')) as { readonly usedSize: number };
  socket.close();
  return usedSize;
}
