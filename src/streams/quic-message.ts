import type { Readable } from 'node:stream';

/** Of what either side says on the first stream: a token has a few hundred bytes. */
export const maxQuicMessageBytes = 8_192;

/**
 * Reads the one JSON object that a side says on the first stream. It counts once it is whole, whether or not the stream ends there:
 * clients differ in that.
 * @throws Error in one line when it is too large, not JSON, or the stream ends before
 */
export async function readQuicMessage(stream: Readable): Promise<unknown> {
  let text = Buffer.alloc(0);
  return await new Promise((resolve, reject) => {
    const settle = () => stream.off('data', onData).off('end', onEnd).off('close', onEnd);
    const fail = (message: string) => {
      settle();
      reject(new Error(message));
    };
    const onData = (chunk: Buffer) => {
      text = Buffer.concat([text, chunk]);
      if (text.length > maxQuicMessageBytes) return fail(`more than ${maxQuicMessageBytes} bytes on the first stream`);
      // Nothing else can end an object, so that one in many pieces is not parsed at each.
      if (!text.toString('latin1').trimEnd().endsWith('}')) return;
      try {
        const message: unknown = JSON.parse(text.toString());
        settle();
        resolve(message);
      } catch {
        // The brace was not the last.
      }
    };
    const onEnd = () => fail('the first stream ended without a JSON object');
    stream.on('error', () => undefined);
    stream.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}
