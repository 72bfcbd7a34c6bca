import type { Duplex } from 'node:stream';

/** Told of bytes as they pass: from `a` to `b`, or back. */
export interface SpliceMeter {
  forward(bytes: number): void;
  backward(bytes: number): void;
}

/**
 * Joins two connections: bytes, end and backpressure of each reach the other, and each direction ends on its own
 * (half-close). When one side breaks, so does the other. Settles, and never rejects, when both are closed.
 * @returns what ended it, when that was not both sides saying their last
 */
export async function splice(a: Duplex, b: Duplex, meter: SpliceMeter): Promise<Error | undefined> {
  let broken: Error | undefined;
  const fail = (error: Error | undefined) => {
    broken ??= error;
    a.destroy();
    b.destroy();
  };
  pump(a, b, (bytes) => meter.forward(bytes));
  pump(b, a, (bytes) => meter.backward(bytes));
  await Promise.all([closed(a, fail), closed(b, fail)]);
  return broken;
}

/** Moves what `from` reads into `to`, no faster than `to` takes it. */
function pump(from: Duplex, to: Duplex, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    if (!to.writable || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  from.once('end', () => to.end());
  from.resume();
}

/** Settles at `close`; a stream that closes before both its sides have ended takes the other with it. */
async function closed(stream: Duplex, fail: (error: Error | undefined) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      if (!stream.readableEnded || !stream.writableFinished) fail(undefined);
      resolve();
    };
    stream.on('error', fail);
    if (stream.closed) done();
    else stream.once('close', done);
  });
}
