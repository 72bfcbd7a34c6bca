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
import { type SpliceMeter, splice } from './splice.js';
import { encodeOpening } from '../../protocol/session-opening.js';

export interface VisitorForwarderOptions {
  /** Sessions without a binding may be claimed for TLS: digest signing is on. */
  unboundSessions: boolean;
  maxConnectionsPerLease: number;
  onOutcome?: OutcomeObserver | undefined;
  /** Answers a signing message of a claimed session. Never throws. */
  sign(message: Buffer, session: SigningSession): Buffer;
  /** Moves busy connections, where it is available. */
  kernel?: KernelEngine | undefined;
}

/** A public connection on its way to a tunnel. */
export interface VisitorConnection {
  socket: Socket;
  addresses: ProxiedAddresses;
  /** The ClientHello of tenant TLS; absent on a raw TCP port. */
  clientHello?: Buffer;
}

/** Connects public connections to reverse sessions of their lease. */
export class VisitorForwarder {
  constructor(
    private readonly options: VisitorForwarderOptions,
    private readonly registry: SessionRegistry,
    private readonly bindings: Bindings,
    private readonly logger: Logger,
  ) {}

  /**
   * Claims a reverse session for the connection and splices the two until both are done.
   * @returns false when there was no session: the caller refuses the connection, if it is still open
   */
  async forward({ socket, addresses, clientHello }: VisitorConnection, lease: Lease): Promise<boolean> {
    const sessions = this.registry.of(lease);
    // Connections waiting for a session count too, since the limit is not checked again.
    if (sessions.live.size + sessions.waiting >= this.options.maxConnectionsPerLease) {
      this.options.onOutcome?.('lease_over_limit');
      return false;
    }
    // Only TLS needs a binding, to have its handshake signed.
    const accepts = ({ options }: ReverseSession) =>
      clientHello === undefined || options.binding || this.options.unboundSessions;
    const ready = socket.destroyed ? undefined : sessions.take(accepts);
    const session = ready ?? (await this.#claim(socket, sessions, lease.sessionWaitSeconds * 1000, accepts));
    // The lease may have ended in the moment between, too.
    if (sessions.ended.aborted) session?.close();
    const routed = session !== undefined && !sessions.ended.aborted;
    this.options.onOutcome?.(routed ? 'routed' : 'no_session');
    if (!routed) return false;
    const binding =
      clientHello && session.options.binding
        ? this.bindings.issue({ hostname: lease.hostname, generation: lease.generation, clientHello })
        : undefined;
    if (binding) socket.once('close', () => this.bindings.revoke(binding));
    const connection: LiveConnection = {
      destroy: () => socket.destroy(),
      reset() {
        socket.resetAndDestroy();
        session.destroy();
      },
      tunnelIp: session.from,
      member: session.member,
      traffic: { up: 0, down: 0 },
    };
    sessions.admit(connection);
    const kind = clientHello ? 'tenantTls' : 'rawTcp';
    const opening = encodeOpening({ kind, binding, addresses, withAddresses: session.options.proxy });
    const sign =
      binding && ((message: Buffer) => this.options.sign(message, { lease, binding, tunnelIp: session.from }));
    const stream = session.claim(opening, sign);
    // TLS detects truncation by itself; raw TCP would look like a regular end.
    if (!clientHello) resetWhenCut(socket, stream);
    const metered = meter(connection.traffic, sessions.traffic);
    const error = await splice(socket, stream, metered, sessions.bandwidth, this.options.kernel);
    sessions.release(connection);
    this.logger.debug(
      { hostname: lease.hostname, from: addresses.source.address, ...connection.traffic, error: error?.message },
      'connection done',
    );
    return true;
  }

  /** Waits for a session, as long as the connection and its lease are there. */
  async #claim(
    socket: Socket,
    sessions: LeaseSessions,
    timeoutMs: number,
    accepts: (session: ReverseSession) => boolean,
  ): Promise<ReverseSession | undefined> {
    if (timeoutMs === 0 || socket.destroyed || sessions.ended.aborted) return undefined;
    const gone = new AbortController();
    const giveUp = () => gone.abort();
    const timer = setTimeout(giveUp, timeoutMs);
    socket.once('close', giveUp);
    sessions.waiting++;
    sessions.ended.addEventListener('abort', giveUp, { once: true });
    try {
      const session = await sessions.queue.claim(accepts, gone.signal);
      // The client may have disconnected meanwhile: the session is unused, but no longer in the queue.
      if (session && socket.destroyed) session.close();
      return socket.destroyed ? undefined : session;
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
