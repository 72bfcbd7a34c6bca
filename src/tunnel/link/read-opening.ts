import type { Duplex } from 'node:stream';
import { parseProxyHeader, type ProxiedAddresses } from '../../protocol/proxy-protocol.js';
import { sessionSilenceMs } from '../carriers/carrier.js';
import { repeat } from '../../util/boundary.js';

const silenceCheckIntervalMs = 5_000;
const bindingBytes = 16;

/** A reverse session that the relay has joined to a visitor. What the stream gives from here on is the visitor's. */
export interface Claim {
  readonly stream: Duplex;
  /** For one request to `/v1/sign`: the visitor speaks TLS to the tunnel's name. Absent for raw TCP. */
  readonly binding?: Buffer;
  /** Whom the relay says it is; absent where it cannot tell. */
  readonly addresses?: ProxiedAddresses;
}

const keepalive = 0x00;
const rawTcp = 0x01;
const tenantTls = 0x02;

/**
 * Waits until the relay claims a session: reads keepalives, then the marker, the binding and the PROXY header that were
 * asked for, and nothing beyond.
 * @throws Error when the session ends, breaks, falls silent or brings anything else; the signal's reason when aborted.
 *   The stream is destroyed then.
 */
export function awaitOpening(stream: Duplex, signal: AbortSignal): Promise<Claim> {
  return new Promise((resolve, reject) => {
    let heardAt = performance.now();
    let heardAtWall = Date.now();
    /** Marker, binding and PROXY header as far as they have come. */
    let start = Buffer.alloc(0);

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
        const { length, ...claim } = opening;
        if (start.length > length) stream.unshift(start.subarray(length));
        return resolve({ stream, ...claim });
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
      if (silence > sessionSilenceMs) fail(new Error('the session fell silent'));
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

/**
 * @returns undefined while more is needed
 * @throws Error for anything else than the opening of a session
 */
export function parseOpening(start: Buffer): ({ length: number } & Omit<Claim, 'stream'>) | undefined {
  if (start.length === 0) return undefined;
  if (start[0] !== tenantTls && start[0] !== rawTcp)
    throw new Error(`the relay began a session with 0x${start[0]!.toString(16).padStart(2, '0')}`);
  const headerAt = start[0] === tenantTls ? 1 + bindingBytes : 1;
  if (start.length <= headerAt) return undefined;
  const header = parseProxyHeader(start.subarray(headerAt), 'v2');
  if (header === undefined) return undefined;
  return {
    length: headerAt + header.length,
    binding: headerAt > 1 ? Buffer.from(start.subarray(1, headerAt)) : undefined,
    addresses: header.addresses,
  };
}

function skipKeepalives(chunk: Buffer): Buffer<ArrayBuffer> {
  const first = chunk.findIndex((byte) => byte !== keepalive);
  return Buffer.from(first === -1 ? [] : chunk.subarray(first));
}
