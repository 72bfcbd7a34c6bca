import { epoll, errno } from '../kernel/libc.js';
import { frameHeader, frameHeaderBytes, frameMark } from '../protocol/frames.js';
import { marker } from '../protocol/session-opening.js';
import { contentType } from '../tls/codec/constants.js';
import type { RecordOpener, RecordSealer } from '../tls/records/record-protection.js';
import { openerOf, sealedFirstBytes, sealerOf, wornAfterRecords } from '../unwrap/session-records.js';
import { type PackedKeys, packedKeys, unpackedKeys } from './messages.js';
import type { EntryThread, Watched } from './thread.js';

const keepalive = Buffer.from([marker.keepalive]);
/** Largest frame content that fits into one record together with its header (RFC 8446 5.1). */
const sealedFrameBytes = 16_384 - frameHeaderBytes;
const ended = epoll.RDHUP | epoll.HUP | epoll.ERR;

/** The lease of a session. */
export interface SessionHost {
  addReady(session: EntrySession): void;
  removeReady(session: EntrySession): void;
  /** Whether a session that has served may wait for another visitor. */
  takesBack(session: EntrySession): boolean;
  /** A session is ready. */
  serve(): void;
  /** It has left the worker. */
  forget(session: EntrySession): void;
}

/** The connection that a session serves. */
export interface Served {
  onSessionEvents(events: number): void;
  /** The relay's signing message has come. */
  signed(message: Buffer): void;
  /** Ends both sides at once. */
  reset(): void;
}

/** An unwrapped reverse session that the worker holds: it serves one visitor after the other. */
export class EntrySession implements Watched {
  readonly token: number;
  readonly opener: RecordOpener;
  readonly #sealer: RecordSealer;
  /** Connections that it has served, to tell a late signature from one of the connection now. */
  claims = 0;
  /** Bytes of frames to seal before any goes out in the clear. */
  #toSeal = 0;
  #lane: Served | undefined;
  #state: 'ready' | 'claimed' | 'closing' | 'gone' = 'ready';

  constructor(
    private readonly thread: EntryThread,
    readonly id: number,
    readonly fd: number,
    private readonly lease: SessionHost,
    keys: PackedKeys,
    readonly withAddresses: boolean,
  ) {
    const { send, receive } = unpackedKeys(keys);
    this.#sealer = sealerOf(send);
    this.opener = openerOf(receive);
    this.token = thread.watch(this, fd);
    this.#wait();
  }

  onEvents(events: number): void {
    if (this.#state === 'claimed') this.#lane?.onSessionEvents(events);
    else if ((events & (epoll.IN | ended)) !== 0) this.#read();
  }

  /** While it waits, the tunnel sends nothing; while it closes, what it sends goes nowhere. */
  #read(): void {
    for (;;) {
      const count = this.thread.libc.receive(this.fd, this.thread.scratch);
      if (count === -errno.EAGAIN) return;
      if (count > 0 && this.#state === 'closing') continue;
      return this.close();
    }
  }

  #wait(): void {
    this.#state = 'ready';
    this.lease.addReady(this);
    this.thread.keepalives.set(this, this.thread.now);
  }

  #settle(): void {
    this.lease.removeReady(this);
    this.thread.keepalives.clear(this);
  }

  /** Every 15 s. */
  keepAlive(): void {
    const bytes = this.sealControl(keepalive);
    // Without room for so little, the tunnel has not read the last ones.
    if (this.thread.libc.send(this.fd, bytes, false) === bytes.length)
      this.thread.keepalives.set(this, this.thread.now);
    else this.close();
  }

  claim(lane: Served): void {
    this.#settle();
    this.#state = 'claimed';
    this.#lane = lane;
    this.#toSeal = sealedFirstBytes;
    this.claims++;
  }

  /** Its connection is over. @param isLast it takes no other */
  release(isLast: boolean): void {
    this.#lane = undefined;
    if (isLast) return this.#closeGently();
    if (!this.lease.takesBack(this)) return this.close();
    this.#wait();
    this.lease.serve();
  }

  /** Gives it to the main thread; it must be ready. */
  giveBack(): void {
    this.#settle();
    this.#state = 'gone';
    this.lease.forget(this);
    this.thread.unwatch(this, this.fd);
    const keys = packedKeys({ send: this.#sealer.state, receive: this.opener.state });
    this.thread.post({ type: 'returned', session: this.id, fd: this.fd, keys });
  }

  #closeGently(): void {
    this.#state = 'closing';
    this.thread.libc.endWrites(this.fd);
    this.thread.closing.set(this, this.thread.now);
    this.#read();
  }

  /** The tunnel has not closed it in time. */
  expire(): void {
    this.close();
  }

  close(): void {
    if (this.#state === 'gone') return;
    if (this.#state === 'ready') this.#settle();
    this.#state = 'gone';
    this.#lane = undefined;
    this.thread.closing.clear(this);
    this.lease.forget(this);
    this.thread.drop(this, this.fd);
    this.thread.post({ type: 'gone', session: this.id });
  }

  /** The relay's signing message for its connection has come. */
  signed(message: Buffer): void {
    this.#lane?.signed(message);
  }

  /** Ends it in any state, and its connection by a reset. */
  reset(): void {
    const lane = this.#lane;
    if (lane) lane.reset();
    else this.close();
  }

  // What goes out

  /** Records of what is no frame: openings, marks, signing messages. */
  sealControl(bytes: Buffer): Buffer {
    const pieces: Buffer[] = [];
    this.#sealer.seal(contentType.handshake, bytes, pieces);
    return joined(pieces);
  }

  /** The mark that closes this direction. */
  sealEnd(isCut: boolean): Buffer {
    return this.sealControl(frameHeader(isCut ? frameMark.cut : this.isWorn ? frameMark.last : frameMark.end));
  }

  get isWorn(): boolean {
    return this.#sealer.records > wornAfterRecords;
  }

  /** The signature is sealed like an opening, after which the bytes to seal count anew. */
  sealSigning(message: Buffer): Buffer {
    this.#toSeal = sealedFirstBytes;
    return this.sealControl(message);
  }

  /** @returns frames for the bytes, as far as they have to be sealed; undefined when one may go out in the clear */
  sealFrames(bytes: Buffer): Buffer | undefined {
    if (this.#toSeal === 0) return undefined;
    const pieces: Buffer[] = [];
    let at = 0;
    while (at < bytes.length && this.#toSeal > 0) {
      const content = bytes.subarray(at, at + sealedFrameBytes);
      const frame = Buffer.concat([frameHeader(content.length), content]);
      this.#toSeal = Math.max(0, this.#toSeal - frame.length);
      this.#sealer.seal(contentType.applicationData, frame, pieces);
      at += content.length;
    }
    if (at < bytes.length) pieces.push(frameHeader(bytes.length - at), bytes.subarray(at));
    return Buffer.concat(pieces);
  }
}

function joined(pieces: Buffer[]): Buffer {
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}
