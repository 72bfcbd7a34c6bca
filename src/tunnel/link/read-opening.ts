import type { Duplex } from 'node:stream';
import { parseOpening, type SessionOpening, skipKeepalives } from '../../protocol/session-opening.js';
import type { SessionSigning } from './session-signing.js';
import { sessionSilenceMs } from '../carriers/carrier.js';
import { repeat } from '../../util/boundary.js';

const silenceCheckIntervalMs = 5_000;

/** A claimed reverse session: the stream now carries the bytes of a public connection. */
export interface ClaimedSession extends SessionOpening {
  readonly stream: Duplex;
  /** Requests the signature inside the session, if the relay has agreed to that. */
  readonly signing?: SessionSigning | undefined;
}

/**
 * Waits until the relay claims a session: reads keepalives, then the marker and the requested binding and PROXY
 * header, and no further.
 * @param isBare as for `parseOpening`
 * @throws Error when the session ends, fails, times out or sends anything else; the signal's reason when aborted.
 *   The stream is destroyed then.
 */
export function awaitOpening(stream: Duplex, signal: AbortSignal, isBare = false): Promise<ClaimedSession> {
  return new Promise((resolve, reject) => {
    let heardAt = performance.now();
    let heardAtWall = Date.now();
    /** The bytes of marker, binding and PROXY header received so far. */
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
        const opening = parseOpening(start, isBare);
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
    // Uses both clocks: only the wall clock advances during suspension, after which the session is dead.
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
    // boundary: a throw rejects this promise.
    stream.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
    if (stream.destroyed || stream.readableEnded) onEnd();
  });
}
