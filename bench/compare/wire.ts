// A minimal HTTP/1.1 over net sockets for load and upstream, so that their cost does not hide the cost of the servers.
// Only messages with Content-Length.

export interface Message {
  /** Start line and header lines, without the empty line. */
  readonly head: string;
  readonly body: string;
}

/** Takes bytes and returns complete messages. */
export function createMessageReader(onMessage: (message: Message) => void): (chunk: Buffer) => void {
  let buffered = '';
  return (chunk) => {
    buffered += chunk.toString('latin1');
    for (;;) {
      const end = buffered.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = buffered.slice(0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (buffered.length < end + 4 + length) return;
      const body = buffered.slice(end + 4, end + 4 + length);
      buffered = buffered.slice(end + 4 + length);
      onMessage({ head, body });
    }
  };
}
