import type { Duplex } from 'node:stream';
import { parseOpening, type SessionOpening, skipKeepalives } from '../../protocol/session-opening.js';
import { sessionSilenceMs } from '../carriers/carrier.js';
import { repeat } from '../../util/boundary.js';

const silenceCheckIntervalMs = 5_000;

/** A reverse session that the relay has joined to a visitor. What the stream gives from here on is the visitor's. */
export interface ClaimedSession extends SessionOpening {
  readonly stream: Duplex;
}

/**
 * Waits until the relay claims a session: reads keepalives, then the marker, the binding and the PROXY header that were
 * asked for, and nothing beyond.
 * @throws Error when the session ends, breaks, falls silent or brings anything else; the signal's reason when aborted.
 *   The stream is destroyed then.
 */
export function awaitOpening(stream: Duplex, signal: AbortSignal): Promise<ClaimedSession> {
  return new Promise((resolve, reject) => {
    let heardAt = performance.now();
    let heardAtWall = Date.now();
    /** Marker, binding and PROXY header as far as they have come. */
    let start: Buffer = Buffer.alloc(0);

    const settle = () => {
      clearInterval(watch);
      signal.removeEventListener('abort', onAbort);
      stream.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
    };
    const fail = (error: unknown) => {
      settle();
      stream.destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = () => fail(signal.reason);
    const onEnd = () => fail(stream.errored ?? new Error('the relay closed the session'));
    const read = () => {
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
        heardAt = performance.now();
        heardAtWall = Date.now();
        start = start.length === 0 ? skipKeepalives(chunk) : Buffer.concat([start, chunk]);
        const opening = parseOpening(start);
        if (!opening) continue;
        settle();
        const { length, ...facts } = opening;
        if (start.length > length) stream.unshift(start.subarray(length));
        return resolve({ stream, ...facts });
      }
    };
    const onReadable = () => {
      try {
        read();
      } catch (error) {
        fail(error);
      }
    };
    // By both clocks: while the machine is suspended only the wall clock goes on, and the session is long gone.
    const checkSilence = () => {
      const silence = Math.max(performance.now() - heardAt, Date.now() - heardAtWall);
      if (silence > sessionSilenceMs) fail(new Error('the relay sent no keepalive: the session is dead'));
    };
    const watch = repeat('session silence check', checkSilence, silenceCheckIntervalMs);

    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    // boundary: whatever it throws rejects this promise.
    stream.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
    if (stream.destroyed || stream.readableEnded) onEnd();
  });
}
