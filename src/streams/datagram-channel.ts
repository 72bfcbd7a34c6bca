import type { EventEmitter } from 'node:events';

export interface DatagramChannelEvents {
  /** One came in, its borders as they were. */
  datagram: [datagram: Buffer];
  /** The last event: nothing goes either way any more. */
  closed: [error: Error | undefined];
}

/** A connection that carries datagrams between relay and tunnel, both ways, each whole or not at all. */
export interface DatagramChannel extends EventEmitter<DatagramChannelEvents> {
  /** Largest datagram that it takes now, in bytes. */
  readonly maxBytes: number;
  /** Datagrams given up because the path was slower than their source. */
  readonly dropped: number;
  /** Datagrams given up because they were larger than `maxBytes`. */
  readonly oversized: number;
  /** Never waits, never fails: what cannot go soon makes room for what comes later. */
  send(datagram: Buffer): void;
  /** Ends it at once. */
  close(): void;
}
