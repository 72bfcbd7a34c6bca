import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../contract/index.js';
import { peerApiPort } from '../../protocol/hop-header.js';
import { background } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { Logger } from '../../util/logger.js';
import type { OverlayRoutes } from '../overlay/overlay.js';
import type { LeaseSessions, LiveConnection } from '../reverse/lease-sessions.js';
import { publicTcpOptions } from './public-connections.js';
import { splice } from './splice.js';

/** A tunnel needs few at a time: for calls, for signatures, and for the next relay behind that one. */
const maxPerLease = 16;
const maxInAll = 10_000;
const connectTimeoutMs = 3_000;
/** Without a byte in either direction. The API's own deadlines are shorter. */
const idleTimeoutMs = 120_000;

/** A connection to another relay's API that is open, and is to be joined to a tunnel's. */
export interface OpenPeer {
  socket: Socket;
  /** Joins the two, until both are done. @param clientIp of the tunnel */
  splice(tunnel: Duplex, clientIp: string): void;
}

/** Connections of tunnels to the APIs of other relays, through the overlay. */
export class PeerConnections {
  readonly #byLease = new ConcurrencyLimiter(maxPerLease);
  readonly #open = new Set<Socket>();

  /**
   * @param overlay undefined when the relay has none
   * @param draining ends them: they are kept open for later calls, and would hold the relay up
   */
  constructor(
    private readonly overlay: OverlayRoutes | undefined,
    private readonly logger: Logger,
    draining: AbortSignal,
  ) {
    draining.addEventListener('abort', () => {
      for (const socket of this.#open) socket.destroy();
    });
  }

  /**
   * @param relay signing address of the other relay, in lower case
   * @throws ApiError `feature_unavailable` when it is not reached, `rate_limited`
   */
  async open(sessions: LeaseSessions, relay: string): Promise<OpenPeer> {
    const unreached = () => new ApiError('feature_unavailable', `${relay} is not reached in the overlay of this relay`);
    const route = this.overlay?.routeTo(relay);
    if (route === undefined) throw unreached();
    const { generation } = sessions.lease;
    if (this.#open.size >= maxInAll || !this.#byLease.add(generation))
      throw new ApiError('rate_limited', 'too many connections to other relays', { retryAfterSeconds: 5 });
    const socket = connect({ host: route.peer, port: peerApiPort, localAddress: route.own, ...publicTcpOptions });
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#byLease.remove(generation);
    });
    if (!(await isConnected(socket))) throw unreached();
    socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    return {
      socket,
      splice: (tunnel, clientIp) =>
        background('peer connection', () => this.#splice(sessions, { socket, tunnel, clientIp })),
    };
  }

  async #splice(
    sessions: LeaseSessions,
    { socket, tunnel, clientIp }: { socket: Socket; tunnel: Duplex; clientIp: string },
  ): Promise<void> {
    const destroy = () => {
      socket.destroy();
      tunnel.destroy();
    };
    const connection: LiveConnection = { destroy, reset: destroy, tunnelIp: clientIp, traffic: { up: 0, down: 0 } };
    // The lease may have ended while the two were connected.
    if (sessions.ended.aborted) return destroy();
    sessions.admit(connection);
    const { ownTraffic: traffic } = sessions;
    const count = {
      forward: (bytes: number) => (traffic.up += bytes),
      backward: (bytes: number) => (traffic.down += bytes),
    };
    const error = await splice(socket, tunnel, count, sessions.bandwidth);
    sessions.release(connection);
    this.logger.debug({ hostname: sessions.lease.hostname, error: error?.message }, 'connection to another relay done');
  }
}

async function isConnected(socket: Socket): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const deadline = setTimeout(() => socket.destroy(), connectTimeoutMs);
    const settle = (connected: boolean) => {
      clearTimeout(deadline);
      resolve(connected);
    };
    // boundary: cannot throw.
    socket.once('connect', () => settle(true));
    socket.once('close', () => settle(false));
  });
}
