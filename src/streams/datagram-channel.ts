import type { EventEmitter } from 'node:events';

export interface DatagramChannelEvents {
  /** A datagram was received, with its boundaries. */
  datagram: [datagram: Buffer];
  /** The last event: the channel is closed. */
  closed: [error: Error | undefined];
}

/** A connection that carries datagrams between relay and tunnel, in both directions, each complete or not at all. */
export interface DatagramChannel extends EventEmitter<DatagramChannelEvents> {
  /** Current size limit of a datagram, in bytes. */
  readonly maxBytes: number;
  /** Datagrams dropped because the path was slower than their source. */
  readonly dropped: number;
  /** Datagrams dropped because they were larger than `maxBytes`. */
  readonly oversized: number;
  /** Never blocks or fails: when the path is slow, older datagrams are dropped for newer ones. */
  send(datagram: Buffer): void;
  /** Ends it at once. */
  close(): void;
}
