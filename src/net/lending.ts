import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Whoever moves the bytes of a lent direction. Both calls are allowed at any time, also after it was returned. */
export interface Borrower {
  /** Return the direction once the bytes that were taken have been passed on. */
  recall(): void;
  /** Return it at once; bytes that were taken are lost. */
  drop(): void;
}

export interface LentReads {
  /** File descriptor of the socket. */
  fd: number;
  /** Remaining bytes of a frame that has begun; undefined when the bytes come without frames. */
  left?: number | undefined;
}

export interface LentWrites {
  fd: number;
  /** Whether the bytes must go out in frames. */
  framed: boolean;
}

/** A stream that can lend a direction of its socket, so that something else reads or writes there. */
export interface Lendable {
  /** Whether it ever can. */
  readonly canLend: boolean;
  /** Stops reading. @returns undefined when bytes are still held, or it is not possible */
  lendReads(borrower: Borrower): LentReads | undefined;
  /** @param unread bytes that the borrower has read and not used */
  returnReads(left: number, unread: Buffer): void;
  /** Holds later writes back until the return. @returns undefined when bytes are still to be written, or it is not possible */
  lendWrites(borrower: Borrower): LentWrites | undefined;
  returnWrites(): void;
  /** The socket has failed while a direction was lent. */
  lose(error: Error): void;
}

/** Node's own state of a socket: private, and so checked before it is used. */
interface Handle {
  fd?: number;
  reading?: boolean;
}

/** The file descriptor of a connected TCP socket; undefined where there is none. */
export function fileDescriptorOf(socket: Socket): number | undefined {
  const { fd } = (socket as unknown as { _handle?: Handle | null })._handle ?? {};
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/**
 * Stops a socket with pooled reads from reading. @returns its file descriptor; undefined when it holds bytes, has ended, or
 * could not be stopped
 */
export function stopReading(socket: Socket): number | undefined {
  socket.pause();
  const { _handle: handle } = socket as unknown as { _handle?: Handle | null };
  const isQuiet = handle?.reading === false && socket.readableLength === 0 && !socket.readableEnded;
  return isQuiet && !socket.destroyed ? fileDescriptorOf(socket) : undefined;
}

/** A plain TCP socket whose bytes are a connection's own. */
class LendableSocket implements Lendable {
  readonly canLend = true;

  constructor(private readonly socket: Socket) {}

  lendReads(borrower: Borrower): LentReads | undefined {
    const fd = stopReading(this.socket);
    if (fd === undefined) return undefined;
    // boundary: it only sends a message to a thread.
    this.socket.once('close', () => borrower.recall());
    return { fd };
  }

  /** The caller resumes it. */
  returnReads(): void {}

  lendWrites(borrower: Borrower): LentWrites | undefined {
    const { socket } = this;
    const fd = fileDescriptorOf(socket);
    if (fd === undefined || socket.writableLength > 0 || socket.writableEnded || socket.destroyed) return undefined;
    // boundary: it only sends a message to a thread.
    socket.once('close', () => borrower.drop());
    return { fd, framed: false };
  }

  /** Nobody writes to it meanwhile. */
  returnWrites(): void {}

  lose(error: Error): void {
    this.socket.destroy(error);
  }
}

/** @returns undefined for a stream that cannot lend */
export function lendable(stream: Duplex): Lendable | undefined {
  if ('lendReads' in stream) {
    const own = stream as Duplex & Lendable;
    return own.canLend ? own : undefined;
  }
  return stream instanceof Socket && !(stream instanceof TLSSocket) ? new LendableSocket(stream) : undefined;
}
