import type { Readable } from 'node:stream';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';

/** Largest message on the first stream: a token has a few hundred bytes. */
export const maxQuicMessageBytes = 8_192;

/**
 * Reads the single JSON object that a side sends on the first stream. It is accepted once complete, whether or not
 * the stream ends: clients differ.
 * @throws Error in one line when it is too large, not JSON, or the stream ends before
 */
export async function readQuicMessage(stream: Readable): Promise<unknown> {
  let text = Buffer.alloc(0);
  stream.on('error', () => undefined);
  const take = (chunk: Buffer): { message: unknown } | undefined => {
    text = Buffer.concat([text, chunk]);
    if (text.length > maxQuicMessageBytes)
      throw new Error(`more than ${maxQuicMessageBytes} bytes on the first stream`);
    // Only a closing brace can end the object, so it is not parsed at every chunk.
    if (!text.toString('latin1').trimEnd().endsWith('}')) return undefined;
    try {
      return { message: JSON.parse(text.toString()) as unknown };
    } catch {
      // Not the last brace.
      return undefined;
    }
  };
  try {
    const { message } = await readPrefix(stream, take);
    // Keep reading to notice the end.
    stream.resume();
    return message;
  } catch (error) {
    if (error instanceof NoPrefixError)
      throw new Error('the first stream ended without a JSON object', { cause: error });
    throw error;
  }
}
