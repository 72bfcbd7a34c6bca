import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ProxiedAddresses } from '../../protocol/proxy-protocol.js';
import type { KernelEngine } from '../../kernel/kernel-engine.js';
import type { Bindings } from '../keyless/bindings.js';
import type { SigningSession } from '../keyless/session-signer.js';
import type { Lease } from '../leases/lease.js';
import type { Logger } from '../../util/logger.js';
import type { ReverseSession } from '../reverse/reverse-session.js';
import type { LeaseSessions, LiveConnection, SessionRegistry, Traffic } from '../reverse/session-registry.js';
import type { OutcomeObserver } from './connection-outcome.js';
import { HopError, joinTimeoutMs, type NextHops } from './next-hops.js';
import { type SpliceMeter, splice } from './splice.js';
import { connectionIdBytes, hopAnswer, type HopHeader } from '../../protocol/hop-header.js';
import { sealHello } from '../../streams/sealed-hello.js';
import type { NextHop } from '../leases/hop.js';
import { encodeOpening } from '../../protocol/session-opening.js';

export interface VisitorForwarderOptions {
  /** Sessions without a binding may be claimed for TLS: digest signing is on. */
  unboundSessions: boolean;
  maxConnectionsPerLease: number;
  onOutcome?: OutcomeObserver | undefined;
  /** Visitors' addresses may be passed on to other relays. */
  passVisitorAddress: boolean;
  /** Answers a signing message of a claimed session. Never throws. */
  sign(message: Buffer, session: SigningSession): Buffer;
  /** Moves busy connections, where it is available. */
  kernel?: KernelEngine | undefined;
}

/** A visitor's connection on its way to a tunnel. */
export interface VisitorConnection {
  socket: Socket;
  /** Absent when another relay has passed the visitor on, and does not tell. */
  addresses: ProxiedAddresses | undefined;
  /** The ClientHello of tenant TLS; absent on a raw TCP port, and after another relay. */
  clientHello?: Buffer;
  /** Another relay has passed it on: tenant TLS of the entry's. */
  hop?: Pick<HopHeader, 'binding' | 'connectionId'>;
}

/** What a visitor was connected to. */
interface Joined {
  /** To be called at once: until then nobody hears its errors. */
  open(): Duplex;
  /** Ends the other side at once. */
  destroy(): void;
  /** Address of the other side. */
  ip: string;
  member?: string | undefined;
}

/** Connects visitors to reverse sessions of their lease, or passes them on to the next relay of its path. */
export class VisitorForwarder {
  /** Visitors that are on their way along a path, to find loops. */
  readonly #onPaths = new Set<string>();

  constructor(
    private readonly options: VisitorForwarderOptions,
    private readonly registry: SessionRegistry,
    private readonly bindings: Bindings,
    private readonly hops: NextHops,
    private readonly logger: Logger,
  ) {}

  /**
   * Claims a reverse session for the connection, or passes it on, and splices the two until both are done.
   * @returns false when there was no session, `loop` when it has been here before: the caller refuses the connection, if it is still open
   */
  async forward(visitor: VisitorConnection, lease: Lease): Promise<boolean | 'loop'> {
    const { socket, hop } = visitor;
    if (lease.hop === undefined || socket.destroyed) return await this.#forward(visitor, lease);
    const connectionId = hop?.connectionId ?? randomBytes(connectionIdBytes);
    const id = connectionId.toString('base64');
    if (this.#onPaths.has(id)) {
      this.options.onOutcome?.('hop_loop');
      return 'loop';
    }
    this.#onPaths.add(id);
    // boundary: cannot throw.
    socket.once('close', () => this.#onPaths.delete(id));
    return await this.#forward(visitor, lease, connectionId);
  }

  /** @param connectionId for a lease of a path */
  async #forward(visitor: VisitorConnection, lease: Lease, connectionId?: Buffer): Promise<boolean> {
    const { socket, addresses, clientHello, hop } = visitor;
    const sessions = this.registry.of(lease);
    // Connections waiting for a session count too, since the limit is not checked again.
    if (sessions.live.size + sessions.waiting >= this.options.maxConnectionsPerLease) {
      this.options.onOutcome?.('lease_over_limit');
      return false;
    }
    const next = lease.hop?.forwards;
    const joined =
      next && connectionId
        ? await this.#passOn(visitor, lease, sessions, next, connectionId)
        : await this.#joinSession(visitor, lease, sessions);
    // The lease may have ended in the moment between.
    const isRouted = joined !== undefined && !sessions.ended.aborted;
    this.options.onOutcome?.(isRouted ? 'routed' : next ? 'path_broken' : 'no_session');
    if (!isRouted) {
      joined?.destroy();
      return false;
    }
    const stream = joined.open();
    const connection: LiveConnection = {
      destroy: () => socket.destroy(),
      reset() {
        socket.resetAndDestroy();
        joined.destroy();
      },
      tunnelIp: joined.ip,
      member: joined.member,
      traffic: { up: 0, down: 0 },
    };
    sessions.admit(connection);
    if (hop) socket.write(Buffer.from([hopAnswer.joined]));
    // TLS detects truncation by itself; raw TCP would look like a regular end.
    if (!clientHello && !hop) resetWhenCut(socket, stream);
    const metered = meter(connection.traffic, sessions.traffic);
    const error = await splice(socket, stream, metered, sessions.bandwidth, this.options.kernel);
    sessions.release(connection);
    this.logger.debug(
      { hostname: lease.hostname, from: addresses?.source.address, ...connection.traffic, error: error?.message },
      'connection done',
    );
    return true;
  }

  /** Claims a session, ready or to come. */
  async #joinSession(
    { socket, addresses, clientHello, hop }: VisitorConnection,
    lease: Lease,
    sessions: LeaseSessions,
  ): Promise<Joined | undefined> {
    const isTls = clientHello !== undefined || hop !== undefined;
    // Only TLS needs a binding, to have its handshake signed.
    const accepts = ({ options }: ReverseSession) =>
      !isTls || options.binding || (hop === undefined && this.options.unboundSessions);
    const ready = socket.destroyed ? undefined : sessions.take(accepts);
    const waitMs = lease.sessionWaitSeconds * 1000;
    const session =
      ready ??
      (await this.#whileThere(socket, sessions, waitMs, async (signal) => {
        const claimed = await sessions.queue.claim(accepts, signal);
        // The client may have disconnected meanwhile: the session is unused, but no longer in the queue.
        if (claimed && socket.destroyed) claimed.close();
        return socket.destroyed ? undefined : claimed;
      }));
    // The lease may have ended in the moment between, too.
    if (sessions.ended.aborted) session?.close();
    if (session === undefined || sessions.ended.aborted) return undefined;
    const binding =
      hop?.binding ?? (clientHello && session.options.binding ? this.#bind(socket, lease, clientHello) : undefined);
    const kind = isTls ? 'tenantTls' : 'rawTcp';
    const opening = encodeOpening({ kind, binding, addresses, withAddresses: session.options.proxy });
    // Of a path, the entry signs.
    const sign =
      binding === undefined || hop
        ? undefined
        : (message: Buffer) => this.options.sign(message, { lease, binding, tunnelIp: session.from });
    return {
      open: () => session.claim(opening, sign),
      destroy: () => session.destroy(),
      ip: session.from,
      member: session.member,
    };
  }

  /** Passes the visitor on to the next relay of the path. */
  async #passOn(
    { socket, addresses, clientHello, hop }: VisitorConnection,
    lease: Lease,
    sessions: LeaseSessions,
    next: NextHop,
    connectionId: Buffer,
  ): Promise<Joined | undefined> {
    const binding = hop?.binding ?? (clientHello && this.#bind(socket, lease, clientHello));
    // Without TLS nothing of this would be the tunnel's alone.
    if (binding === undefined) return undefined;
    const isTold = next.passVisitorAddress && this.options.passVisitorAddress;
    const header = { binding, connectionId, addresses: isTold ? addresses : undefined };
    // What has come already goes with the header, and comes back if nobody takes it.
    const early = socket.read() as Buffer | null;
    const sealed = early && next.helloKey ? sealHello(Buffer.from(next.helloKey, 'base64url'), early) : early;
    const onward = await this.#whileThere(socket, sessions, joinTimeoutMs, (signal) =>
      this.hops.join(next, header, sealed, signal),
    ).catch((error: unknown) => {
      if (!(error instanceof HopError)) throw error;
      const { message: reason } = error;
      this.logger.debug({ hostname: lease.hostname, relay: next.relay, reason }, 'the path is broken');
    });
    if (onward && !socket.destroyed && !sessions.ended.aborted) {
      return { open: () => onward, destroy: () => onward.resetAndDestroy(), ip: onward.remoteAddress ?? '' };
    }
    onward?.destroy();
    if (early && !socket.destroyed && !socket.readableEnded) socket.unshift(early);
    return undefined;
  }

  #bind(socket: Socket, { hostname, generation }: Lease, clientHello: Buffer): Buffer {
    const binding = this.bindings.issue({ hostname, generation, clientHello });
    socket.once('close', () => this.bindings.revoke(binding));
    return binding;
  }

  /** Waits for something, as long as the connection and its lease are there, and counts the wait. */
  async #whileThere<Found>(
    socket: Socket,
    sessions: LeaseSessions,
    timeoutMs: number,
    find: (signal: AbortSignal) => Promise<Found | undefined>,
  ): Promise<Found | undefined> {
    if (timeoutMs === 0 || socket.destroyed || sessions.ended.aborted) return undefined;
    const gone = new AbortController();
    const giveUp = () => gone.abort(new HopError('nobody waits any more'));
    const timer = setTimeout(giveUp, timeoutMs);
    socket.once('close', giveUp);
    sessions.waiting++;
    sessions.ended.addEventListener('abort', giveUp, { once: true });
    try {
      return await find(gone.signal);
    } finally {
      sessions.waiting--;
      clearTimeout(timer);
      socket.off('close', giveUp);
      sessions.ended.removeEventListener('abort', giveUp);
    }
  }
}

/** Resets the visitor's connection when the session breaks. Call this before others listen to the session. */
function resetWhenCut(socket: Socket, stream: Duplex): void {
  const cut = () => {
    if (!socket.destroyed && !(stream.readableEnded && stream.writableFinished)) socket.resetAndDestroy();
  };
  stream.once('error', cut);
  stream.once('close', cut);
}

/** Counts a connection's bytes for itself and for its lease. */
function meter(own: Traffic, ofLease: Traffic): SpliceMeter {
  return {
    forward(bytes) {
      own.up += bytes;
      ofLease.up += bytes;
    },
    backward(bytes) {
      own.down += bytes;
      ofLease.down += bytes;
    },
  };
}
