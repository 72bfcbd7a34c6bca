import { EventEmitter } from 'node:events';
import type { DatagramChannel, DatagramChannelEvents } from '../datagram-channel.js';
import { DatagramQueue } from '../datagram-queue.js';
import type { QuicCloseInfo, QuicSession } from './quic-package.js';
import { guard, repeat } from '../../util/boundary.js';

/** UDP payload that every QUIC path supports (RFC 9000 14), used until path MTU discovery finds more. */
const leastPathBytes = 1_200;
/** Overhead of a datagram: short header with a connection id of 20 bytes, AEAD tag, frame type and length. */
const overheadBytes = 1 + 20 + 4 + 16 + 3;
/**
 * Datagrams sent before the depth of the library's queue is checked again, which waits for another thread. That queue
 * holds 64 and silently drops the excess: this many may follow an empty queue, fewer otherwise.
 */
const datagramsALook = { empty: 512, filling: 32 };
const deepQueue = 16;
/** How long the last known depth is valid. */
const lookIsGoodForMs = 50;
/** When a full queue is checked again. */
const lookAgainMs = 2;

/** QUIC DATAGRAM frames (RFC 9221) of an admitted connection, one datagram per frame. */
export class QuicDatagrams extends EventEmitter<DatagramChannelEvents> implements DatagramChannel {
  oversized = 0;
  readonly #session: QuicSession;
  readonly #waiting = new DatagramQueue();
  readonly #ping: NodeJS.Timeout | undefined;
  #maxBytes = leastPathBytes - overheadBytes;
  /** Datagrams that may be sent without a check. */
  #credit = 0;
  #lookedAt = 0;
  #refused = 0;
  #look: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param pingMs interval of a ping; absent when the peer pings */
  constructor(session: QuicSession, { pingMs }: { pingMs?: number } = {}) {
    super();
    this.#session = session;
    const onDatagram = (datagram: Buffer) => {
      if (!this.#isClosed) this.emit('datagram', datagram);
    };
    session.on('datagram', guard('quic datagram', onDatagram));
    let failure: Error | undefined;
    session.on('error', (error) => (failure ??= error));
    session.once('close', (info) => this.#end(failure ?? failureOf(info)));
    if (pingMs !== undefined) this.#ping = repeat('datagram carrier ping', () => session.ping(), pingMs);
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get dropped(): number {
    return this.#waiting.dropped + this.#refused;
  }

  send(datagram: Buffer): void {
    if (this.#isClosed) return;
    if (this.#waiting.length > 0) {
      this.#waiting.add(datagram);
      return;
    }
    if (this.#hasRoom()) this.#handOn(datagram);
    else {
      this.#waiting.add(datagram);
      this.#lookLater();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#end(undefined);
    closeQuietly(this.#session);
  }

  #handOn(datagram: Buffer): void {
    this.#credit--;
    if (datagram.length > this.#maxBytes) this.oversized++;
    else if (!this.#session.sendDatagram(datagram)) this.#refused++;
  }

  #hasRoom(): boolean {
    const now = performance.now();
    if (this.#credit > 0 && now - this.#lookedAt < lookIsGoodForMs) return true;
    const metrics = this.#session.getMetrics();
    if (!metrics) return false;
    this.#lookedAt = now;
    this.#maxBytes = Math.max(metrics.pmtu ?? 0, leastPathBytes) - overheadBytes;
    if (metrics.datagramQueueDepth > deepQueue) return false;
    this.#credit = metrics.datagramQueueDepth === 0 ? datagramsALook.empty : datagramsALook.filling;
    return true;
  }

  #lookLater(): void {
    this.#look ??= setTimeout(() => {
      this.#look = undefined;
      while (this.#waiting.length > 0 && this.#hasRoom()) this.#handOn(this.#waiting.take()!);
      if (this.#waiting.length > 0 && !this.#isClosed) this.#lookLater();
    }, lookAgainMs);
  }

  #end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#ping);
    clearTimeout(this.#look);
    this.#waiting.clear();
    // Not synchronously within the call that closed it.
    queueMicrotask(() => this.emit('closed', error));
  }
}

/** Closes a connection in any state. */
export function closeQuietly(session: QuicSession, errorCode = 0, reason = ''): void {
  try {
    void Promise.resolve(session.close(errorCode, reason)).catch(() => undefined);
  } catch {
    // The connection is already closed.
  }
}

function failureOf({ errorCode, reason }: QuicCloseInfo): Error | undefined {
  if (reason === 'idle timeout') return new Error('the QUIC carrier fell silent');
  return errorCode === 0 ? undefined : new Error(`the QUIC carrier was closed (${errorCode})`);
}
