// The smallest HTTP/1.1 over net sockets that both ends of the comparison need: what the load and the upstream cost must
// not hide what the servers cost. Messages with Content-Length only.

export interface Message {
  /** Start line and header lines, without the empty line. */
  readonly head: string;
  readonly body: string;
}

/** Feeds bytes in, gets whole messages out. */
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
