import { EventEmitter } from 'node:events';
import type { DatagramChannel, DatagramChannelEvents } from '../datagram-channel.js';
import { DatagramQueue } from '../datagram-queue.js';
import type { QuicCloseInfo, QuicSession } from './quic-package.js';
import { guard, repeat } from '../../util/boundary.js';

/** UDP payload that every path of QUIC takes (RFC 9000 14), until more was seen to pass. */
const leastPathBytes = 1_200;
/** Of it, around a datagram: short header with a connection id of 20 bytes, AEAD tag, frame type and length. */
const overheadBytes = 1 + 20 + 4 + 16 + 3;
/**
 * Handed on before the depth of the queue below is looked at, which waits for another thread. That queue takes 64 and drops what comes
 * beyond in silence: so many more that one which was found empty passes on, and fewer where something stands in it.
 */
const datagramsALook = { empty: 512, filling: 32 };
const deepQueue = 16;
/** What was seen of it counts for this long. */
const lookIsGoodForMs = 50;
/** How soon a queue that was found deep is looked at again. */
const lookAgainMs = 2;

/** QUIC DATAGRAM frames (RFC 9221) of a connection that is admitted, one datagram a frame. */
export class QuicDatagrams extends EventEmitter<DatagramChannelEvents> implements DatagramChannel {
  oversized = 0;
  readonly #session: QuicSession;
  readonly #waiting = new DatagramQueue();
  readonly #ping: NodeJS.Timeout | undefined;
  #maxBytes = leastPathBytes - overheadBytes;
  /** May be handed on without looking. */
  #credit = 0;
  #lookedAt = 0;
  #refused = 0;
  #look: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param pingMs how often to say something that must be answered; absent: the peer does */
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
    // Never within the call that closed it.
    queueMicrotask(() => this.emit('closed', error));
  }
}

/** Closes a connection, whatever state it is in. */
export function closeQuietly(session: QuicSession, errorCode = 0, reason = ''): void {
  try {
    void Promise.resolve(session.close(errorCode, reason)).catch(() => undefined);
  } catch {
    // It is gone.
  }
}

function failureOf({ errorCode, reason }: QuicCloseInfo): Error | undefined {
  if (reason === 'idle timeout') return new Error('the QUIC carrier fell silent');
  return errorCode === 0 ? undefined : new Error(`the QUIC carrier was closed (${errorCode})`);
}
