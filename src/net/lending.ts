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
  readStart?(): number;
  readStop?(): number;
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle ?? undefined;
}

/** The file descriptor of a connected TCP socket; undefined where there is none. */
export function fileDescriptorOf(socket: Socket): number | undefined {
  const fd = handleOf(socket)?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

export interface StoppedReads {
  fd: number;
  /** Has the socket read again. With pooled reads, `resume` does that. */
  restart(): void;
}

/** Stops a socket from reading. @returns undefined when it holds bytes, has ended, or could not be stopped; it is paused then */
export function stopReading(socket: Socket): StoppedReads | undefined {
  // Enough with pooled reads only: others would read on into the stream's buffer.
  socket.pause();
  const handle = handleOf(socket);
  const fd = fileDescriptorOf(socket);
  const isQuiet = socket.readableLength === 0 && !socket.readableEnded && !socket.destroyed;
  if (!isQuiet || fd === undefined || !handle) return undefined;
  if (handle.reading === undefined || !handle.readStart || !handle.readStop) return undefined;
  let isWanted = handle.reading;
  if (isWanted) {
    handle.reading = false;
    handle.readStop();
  }
  // The stream reads ahead after each chunk, even while it is paused, which would start the handle again.
  socket._read = () => {
    isWanted = true;
  };
  return {
    fd,
    restart() {
      delete (socket as Partial<Socket>)._read;
      if (!isWanted || socket.destroyed || handle.reading) return;
      handle.reading = true;
      if (handle.readStart?.() !== 0) socket.destroy();
    },
  };
}

/** A plain TCP socket whose bytes are a connection's own. */
class LendableSocket implements Lendable {
  readonly canLend = true;
  #stopped: StoppedReads | undefined;

  constructor(private readonly socket: Socket) {}

  lendReads(borrower: Borrower): LentReads | undefined {
    this.#stopped = stopReading(this.socket);
    if (!this.#stopped) return undefined;
    // boundary: it only sends a message to a thread.
    this.socket.once('close', () => borrower.recall());
    return { fd: this.#stopped.fd };
  }

  /** The caller resumes it. */
  returnReads(): void {
    this.#stopped?.restart();
  }

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
