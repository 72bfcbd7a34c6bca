import type { Duplex } from 'node:stream';
import type { Content } from './content.js';
import { headBytes, kinds, receive, send } from './exchange.js';

/** Serves one connection as its first bytes ask for (see exchange.ts); what asks otherwise goes to `other`, unread. */
export function serveExchange<Stream extends Duplex>(
  stream: Stream,
  content: Content,
  other: (stream: Stream) => void,
): void {
  stream.on('error', () => stream.destroy());
  const onReadable = () => {
    const head = stream.read() as Buffer | null;
    if (head === null) return;
    stream.off('readable', onReadable);
    const kind = head[0]!;
    if (!(Object.values(kinds) as number[]).includes(kind)) {
      stream.unshift(head);
      other(stream);
      return;
    }
    // A request head is one small write; a visitor that split it would be at fault here.
    if (head.length < headBytes) {
      stream.destroy(new Error('a request head came in parts'));
      return;
    }
    if (head.length > headBytes) stream.unshift(head.subarray(headBytes));
    const length = Number(head.readBigUInt64BE(1));
    run(stream, content, kind, length).catch(() => stream.destroy());
  };
  stream.on('readable', onReadable);
}

async function run(stream: Duplex, content: Content, kind: number, length: number): Promise<void> {
  if (kind === kinds.download) {
    stream.resume();
    await send(stream, content, length);
    stream.end();
  } else if (kind === kinds.echo) {
    stream.pipe(stream);
  } else {
    const { hash } = await receive(stream, kind === kinds.slowUpload);
    stream.end(Buffer.from(hash, 'hex'));
  }
}
