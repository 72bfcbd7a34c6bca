import type { Readable } from 'node:stream';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';

/** Of what either side says on the first stream: a token has a few hundred bytes. */
export const maxQuicMessageBytes = 8_192;

/**
 * Reads the one JSON object that a side says on the first stream. It counts once it is whole, whether or not the stream ends there:
 * clients differ in that.
 * @throws Error in one line when it is too large, not JSON, or the stream ends before
 */
export async function readQuicMessage(stream: Readable): Promise<unknown> {
  let text = Buffer.alloc(0);
  stream.on('error', () => undefined);
  const take = (chunk: Buffer): { message: unknown } | undefined => {
    text = Buffer.concat([text, chunk]);
    if (text.length > maxQuicMessageBytes)
      throw new Error(`more than ${maxQuicMessageBytes} bytes on the first stream`);
    // Nothing else can end an object, so that one in many pieces is not parsed at each.
    if (!text.toString('latin1').trimEnd().endsWith('}')) return undefined;
    try {
      return { message: JSON.parse(text.toString()) as unknown };
    } catch {
      // The brace was not the last.
      return undefined;
    }
  };
  try {
    const { message } = await readPrefix(stream, take);
    // Read on, for its end to be noticed.
    stream.resume();
    return message;
  } catch (error) {
    if (error instanceof NoPrefixError)
      throw new Error('the first stream ended without a JSON object', { cause: error });
    throw error;
  }
}
