import type { LoopStart } from '../kernel/kernel-thread.js';
import type { SessionKeys } from '../unwrap/session-records.js';

// Between the main thread and the entry worker. The worker blocks in epoll, so the main thread also signals its eventfd after each
// message. A file descriptor in a message is the receiver's from then on.

/** A copy without the rest of the memory that a buffer is a part of: a message takes all of it along. */
export function packed(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** Keys on their way to the other thread. */
export interface PackedKeys {
  send: { secret: Uint8Array; sequence: number };
  receive: { secret: Uint8Array; sequence: number };
}

export function packedKeys({ send, receive }: SessionKeys): PackedKeys {
  return { send: { ...send, secret: packed(send.secret) }, receive: { ...receive, secret: packed(receive.secret) } };
}

export function unpackedKeys({ send, receive }: PackedKeys): SessionKeys {
  return {
    send: { ...send, secret: Buffer.from(send.secret) },
    receive: { ...receive, secret: Buffer.from(receive.secret) },
  };
}

/** What the worker decides by itself. */
export interface EntryLimits {
  /** Public connections in all, those of the main thread included. */
  maxConnections: number;
  maxConnectionsPerSource: number;
  /** Connections whose first bytes are awaited, in all and by source. */
  maxAwaited: number;
  maxAwaitedPerSource: number;
  /** Deadlines of a PROXY header and of a ClientHello. */
  headerTimeoutMs: number;
  helloTimeoutMs: number;
  /** Ready sessions of a lease. */
  maxReady: number;
  /** Connections of a lease that wait for a session. */
  maxWaiting: number;
}

export interface EntryStart extends LoopStart {
  limits: EntryLimits;
  /** Addresses whose connections begin with a PROXY header. */
  balancers: string[];
  /** @see SharedCounts */
  sources: SharedArrayBuffer;
  /** @see OwnedDescriptors */
  owned: SharedArrayBuffer;
}

/** What became of a connection, of those outcomes that the worker decides. */
export type EntryOutcome = 'routed' | 'over_limit' | 'too_many_pending' | 'no_proxy_header' | 'no_client_hello';

export type ToEntry =
  | { type: 'listen'; fd: number }
  | { type: 'unlisten' }
  | { type: 'lease'; id: number; lease: EntryLeaseFacts }
  /** Takes no visitor any more, and closes its idle sessions. */
  | { type: 'end'; lease: number }
  | { type: 'limit'; lease: number; bytesPerSecond: number | undefined }
  | { type: 'session'; id: number; lease: number; fd: number; keys: PackedKeys; withAddresses: boolean }
  /** A visitor of the main thread waits for a session of the lease. */
  | { type: 'want'; lease: number }
  /** All sessions go back as soon as they are idle. */
  | { type: 'recall'; lease: number }
  /** Ends all connections of the lease. */
  | { type: 'cut'; lease: number; isReset: boolean }
  /** Ends sessions with their connections, by a reset. */
  | { type: 'drop'; sessions: number[] }
  /** Takes the binding of a connection of the lease, for a signature outside the session. */
  | { type: 'binding'; question: number; lease: number; binding: Uint8Array }
  | { type: 'signed'; session: number; claim: number; message: Uint8Array }
  | { type: 'stop' };

export interface EntryLeaseFacts {
  hostname: string;
  /** @see LeaseSlot */
  slot: SharedArrayBuffer;
  /** ACME's challenge goes to the tunnel. */
  takesAcme: boolean;
  /** A visitor may wait for a session here. */
  waits: boolean;
}

export type FromEntry =
  | { type: 'ready' }
  | { type: 'unlistened'; fd: number }
  /** A connection that the main thread is to serve, from its first byte on. */
  | { type: 'visitor'; fd: number; early: Uint8Array }
  | { type: 'returned'; session: number; fd: number; keys: PackedKeys }
  | { type: 'gone'; session: number }
  | { type: 'binding'; question: number; clientHello: Uint8Array | undefined }
  | { type: 'sign'; session: number; claim: number; message: Uint8Array; clientHello: Uint8Array | undefined }
  /** The lease has no connection any more; said once it has ended. */
  | { type: 'idle'; lease: number }
  | { type: 'report'; outcomes: [EntryOutcome, number][] }
  /** An error that ended one connection. */
  | { type: 'fault'; error: Error };
