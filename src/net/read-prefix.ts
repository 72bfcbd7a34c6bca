import type { Readable } from 'node:stream';

/** The prefix could not be read: the stream ended, closed, failed (`cause`) or took too long. */
export class NoPrefixError extends Error {
  override name = 'NoPrefixError';
}

export interface ReadPrefixOptions {
  /** Deadline for the whole prefix in milliseconds; none by default. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/**
 * Reads the first bytes of a stream, chunk by chunk, and pauses it after the chunk that completed the prefix. The
 * caller puts back the surplus bytes of that chunk.
 * @param take returns undefined while more is needed; bounds what it keeps
 * @throws what `take` throws; the signal's reason; `NoPrefixError`. The stream is the caller's to destroy
 */
export function readPrefix<T>(
  stream: Readable,
  take: (chunk: Buffer) => T | undefined,
  { timeoutMs, signal }: ReadPrefixOptions = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
      stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      stream.pause();
    };
    const fail = (error: unknown) => {
      settle();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onData = (chunk: Buffer) => {
      try {
        const found = take(chunk);
        if (found === undefined) return;
        settle();
        resolve(found);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = () => fail(new NoPrefixError('the stream ended too early'));
    const onError = (cause: Error) => fail(new NoPrefixError('the stream failed', { cause }));
    const onAbort = () => fail(signal?.reason);
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail(new NoPrefixError(`incomplete after ${timeoutMs} ms`)), timeoutMs);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    // boundary: whatever `take` throws rejects this promise.
    stream.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError);
    stream.resume();
  });
}
