import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ProxiedAddresses } from '../../protocol/proxy-protocol.js';
import type { KernelEngine } from '../../kernel/kernel-engine.js';
import type { Bindings } from '../keyless/bindings.js';
import type { SigningSession } from '../keyless/session-signer.js';
import type { Lease } from '../leases/lease.js';
import type { Logger } from '../../util/logger.js';
import { ReverseSession } from '../reverse/reverse-session.js';
import type { LeaseSessions, LiveConnection } from '../reverse/lease-sessions.js';
import type { Traffic } from '../reverse/traffic.js';
import type { SessionRegistry } from '../reverse/session-registry.js';
import type { OutcomeObserver } from './connection-outcome.js';
import { HopError, joinTimeoutMs, type NextHops } from './next-hops.js';
import { type SpliceMeter, splice } from './splice.js';
import { Bandwidth } from '../../util/bandwidth.js';
import { nodeAnswer, type NodeVisitor } from '../../protocol/node-visitor.js';
import { connectionIdBytes, hopAnswer, type HopHeader } from '../../protocol/hop-header.js';
import { sealHello } from '../../streams/sealed-hello.js';
import type { NextHop } from '../leases/hop.js';
import { encodeOpening } from '../../protocol/session-opening.js';

/** How long a node waits for a session, for a visitor that another node has passed on. */
const passedOnWaitMs = 1_000;
/** The entry worker gives a ready session back within this time. */
const returnWaitMs = 1_000;

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
  /** Present where other nodes have sessions, too. */
  nodes?: OtherNodesRoutes | undefined;
}

/** The other nodes of this relay. */
export interface OtherNodesRoutes {
  /** How many of them have tunnels for a name. */
  count(name: string): number;
  /**
   * Passes a visitor on to one of them.
   * @param isPatient whether they are asked until one has a session, or the signal gives it up
   * @returns undefined when none had a session
   */
  join(visitor: PassedVisitor, signal: AbortSignal, isPatient: boolean): Promise<PassedConnection | undefined>;
}

/** A connection to another node, from the tunnel's first byte on. */
export interface PassedConnection {
  /** Paused. */
  readonly stream: Duplex;
  /** Ends it so that the other node can tell it from a regular end. */
  reset(): void;
}

/** A visitor that is passed on to another node. */
export interface PassedVisitor extends NodeVisitor {
  /** What it has sent already: of TLS its ClientHello, at least. */
  early: Buffer;
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
  /** Another node of this relay has passed it on: it goes to a session of this node, or nowhere. Called to end it by a reset. */
  onReset?: () => void;
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
  /** At another node, which counts its bytes and holds the limits of the lease. */
  isElsewhere?: boolean;
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
    const { socket, addresses, clientHello, hop, onReset } = visitor;
    const reset = onReset ?? (() => socket.resetAndDestroy());
    const sessions = this.registry.of(lease);
    // More of them will come, which only this thread can serve.
    if (onReset) sessions.keep();
    // Connections waiting for a session count too, since the limit is not checked again.
    if (sessions.connections + sessions.waiting >= this.maxConnections(lease)) {
      this.options.onOutcome?.('lease_over_limit');
      return false;
    }
    const next = lease.hop?.forwards;
    // It counts from here on: others arrive before it is joined.
    sessions.waiting++;
    const joining =
      next && connectionId
        ? this.#passOn(visitor, lease, sessions, next, connectionId)
        : this.#joinSession(visitor, lease, sessions);
    const joined = await joining.finally(() => sessions.waiting--);
    const { isElsewhere = false } = joined ?? {};
    // The lease may have ended in the moment between.
    const isRouted = joined !== undefined && !sessions.ended.aborted;
    // Of a visitor that is passed on, the node where it arrived counts the outcome.
    if (!onReset) this.options.onOutcome?.(isRouted ? 'routed' : next ? 'path_broken' : 'no_session');
    if (!isRouted) {
      joined?.destroy();
      return false;
    }
    const stream = joined.open();
    const connection: LiveConnection = {
      destroy: () => socket.destroy(),
      reset() {
        reset();
        joined.destroy();
      },
      tunnelIp: joined.ip,
      member: joined.member,
      traffic: { up: 0, down: 0 },
    };
    sessions.admit(connection);
    if (hop) socket.write(Buffer.from([hopAnswer.joined]));
    if (onReset) socket.write(Buffer.from([nodeAnswer.joined]));
    // TLS detects truncation by itself; raw TCP would look like a regular end.
    if (!clientHello && !hop) {
      whenCut(socket, stream, reset);
      if (isElsewhere) whenCut(stream, socket, () => joined.destroy());
    }
    const metered = meter(connection.traffic, isElsewhere ? { up: 0, down: 0 } : sessions.ownTraffic);
    const bandwidth = isElsewhere ? new Bandwidth(undefined) : sessions.bandwidth;
    const error = await splice(socket, stream, metered, bandwidth, this.options.kernel);
    sessions.release(connection);
    this.logger.debug(
      { hostname: lease.hostname, from: addresses?.source.address, ...connection.traffic, error: error?.message },
      'connection done',
    );
    return true;
  }

  /** The limit of connections holds over all nodes that have tunnels of the lease. */
  maxConnections({ hostname }: Lease): number {
    const { maxConnectionsPerLease, nodes } = this.options;
    return Math.ceil(maxConnectionsPerLease / (1 + (nodes?.count(hostname) ?? 0)));
  }

  /** Claims a session, ready or to come; where there are other nodes, one of theirs if it comes first. */
  async #joinSession(visitor: VisitorConnection, lease: Lease, sessions: LeaseSessions): Promise<Joined | undefined> {
    const { socket, clientHello, hop, onReset } = visitor;
    const isTls = clientHello !== undefined || hop !== undefined;
    // Only TLS needs a binding, to have its handshake signed.
    const accepts = ({ options }: ReverseSession) =>
      !isTls || options.binding || (hop === undefined && this.options.unboundSessions);
    const ready = socket.destroyed ? undefined : sessions.take(accepts);
    const { nodes } = this.options;
    if (!ready && nodes && !hop && !onReset) {
      const onward = await this.#passToNode(visitor, lease, sessions, nodes, accepts);
      if (!(onward instanceof ReverseSession)) return onward;
      return await this.#joinedTo(onward, visitor, lease, sessions);
    }
    // Of a visitor that is passed on, the other node may find another one meanwhile.
    const longestMs = onReset ? (sessions.hasTunnels ? passedOnWaitMs : 0) : Infinity;
    const leastMs = sessions.ready > 0 ? returnWaitMs : 0;
    const waitMs = Math.max(Math.min(lease.sessionWaitSeconds * 1000, longestMs), leastMs);
    const session =
      ready ??
      (await this.#whileThere(socket, sessions, waitMs, async (signal) => {
        const claimed = await sessions.queue.claim(accepts, signal);
        // The client may have disconnected meanwhile: the session is unused, but no longer in the queue.
        if (claimed && socket.destroyed) claimed.close();
        return socket.destroyed ? undefined : claimed;
      }));
    return await this.#joinedTo(session, visitor, lease, sessions);
  }

  /** Connects a visitor to a session that has been claimed for it. */
  async #joinedTo(
    session: ReverseSession | undefined,
    { socket, addresses, clientHello, hop }: VisitorConnection,
    lease: Lease,
    sessions: LeaseSessions,
  ): Promise<Joined | undefined> {
    const isTls = clientHello !== undefined || hop !== undefined;
    // The lease may have ended in the moment between, too.
    if (sessions.ended.aborted) session?.close();
    if (session === undefined || sessions.ended.aborted) return undefined;
    const binding =
      hop?.binding ?? (clientHello && session.options.binding ? this.#bind(socket, lease, clientHello) : undefined);
    // The call for a signature may come to any node.
    if (binding && !hop && !session.options.sign) {
      await this.bindings.share(binding);
      if (socket.destroyed || session.stream.destroyed) return void session.close();
    }
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

  /** Waits for a session of another node, and for one of this node meanwhile. */
  async #passToNode(
    { socket, addresses, clientHello }: VisitorConnection,
    lease: Lease,
    sessions: LeaseSessions,
    nodes: OtherNodesRoutes,
    accepts: (session: ReverseSession) => boolean,
  ): Promise<Joined | ReverseSession | undefined> {
    // What has come already goes along, and comes back if no other node takes it.
    const early = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
    const passed = { hostname: lease.hostname, isRaw: clientHello === undefined, addresses, early };
    const ownWaitMs = Math.max(lease.sessionWaitSeconds * 1000, sessions.ready > 0 ? returnWaitMs : 0);
    const waitMs = nodes.count(lease.hostname) > 0 ? Math.max(ownWaitMs, joinTimeoutMs) : ownWaitMs;
    const first = await this.#whileThere(socket, sessions, waitMs, async (signal) => {
      const settled = new AbortController();
      const either = AbortSignal.any([signal, settled.signal]);
      const own = ownWaitMs > 0 ? sessions.queue.claim(accepts, either) : Promise.resolve(undefined);
      const others = nodes.join(passed, either, ownWaitMs > 0);
      const found = await firstOf<ReverseSession | PassedConnection>(own, others);
      settled.abort();
      const [session, onward] = await Promise.all([own, others]);
      // Both at once: the session waits for the next visitor.
      if (onward && session) sessions.add(session);
      return found && (onward ?? session);
    });
    const isThere = !socket.destroyed && !sessions.ended.aborted;
    if (first instanceof ReverseSession || first === undefined || !isThere) {
      if (isThere && early.length > 0 && !socket.readableEnded) socket.unshift(early);
      if (first instanceof ReverseSession) {
        if (!isThere) first.close();
        return isThere ? first : undefined;
      }
      first?.reset();
      return undefined;
    }
    return { open: () => first.stream, destroy: () => first.reset(), ip: '', isElsewhere: true };
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
    sessions.ended.addEventListener('abort', giveUp, { once: true });
    try {
      return await find(gone.signal);
    } finally {
      clearTimeout(timer);
      socket.off('close', giveUp);
      sessions.ended.removeEventListener('abort', giveUp);
    }
  }
}

/** The first that is not undefined; undefined when all are. */
async function firstOf<Found>(...all: Promise<Found | undefined>[]): Promise<Found | undefined> {
  return await new Promise((resolve, reject) => {
    for (const each of all)
      each.then((found) => {
        if (found !== undefined) resolve(found);
      }, reject);
    Promise.all(all).then(() => resolve(undefined), reject);
  });
}

/** Resets one side when the other one breaks. Call this before others listen to that. */
function whenCut(socket: Duplex, stream: Duplex, reset: () => void): void {
  const cut = () => {
    if (!socket.destroyed && !(stream.readableEnded && stream.writableFinished)) reset();
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
