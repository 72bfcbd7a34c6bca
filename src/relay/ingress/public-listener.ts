import { type Server, type Socket, createServer } from 'node:net';
import type { ClientHello } from '../../tls/messages.js';
import { normalizeIp } from '../../streams/ip-address.js';
import { type ProxiedAddresses, proxyHeader } from '../../streams/proxy-protocol.js';
import type { AddressList } from '../address-list.js';
import { sourceOf } from '../addresses.js';
import {
  claimTimeoutMs,
  maxHelloWaits,
  maxHelloWaitsPerSource,
  maxPublicConnections,
  tcpKeepAliveMs,
} from '../constants.js';
import type { Bindings } from '../keyless/bindings.js';
import type { Lease } from '../leases/lease.js';
import type { Logger } from '../logger.js';
import { type ReverseSession, marker } from '../reverse/reverse-session.js';
import type { LiveConnection, SessionDirectory, Traffic } from '../reverse/session-directory.js';
import { Tally } from '../tally.js';
import { readClientHello, refuse } from './client-hello.js';
import { readProxyHeader } from './proxied.js';
import { type SpliceMeter, splice } from './splice.js';

/** What becomes of a connection to the public port: `routed` and `api` are served, all others refused. */
export const connectionOutcomes = [
  'routed',
  'api',
  'over_limit',
  'no_proxy_header',
  'no_client_hello',
  'unknown_name',
  'lease_over_limit',
  'no_session',
] as const;
export type ConnectionOutcome = (typeof connectionOutcomes)[number];

export interface PublicListenerOptions {
  /** Names that lead to the API: the root host, and what the operator added. */
  apiHosts: ReadonlySet<string>;
  /** Sessions that take no binding may be claimed: digest signing is on. */
  unboundSessions: boolean;
  /** The lease to route to, if there is one and it may be served. */
  leaseAt(hostname: string): Lease | undefined;
  maxConnectionsPerSource: number;
  maxConnectionsPerLease: number;
  /** Balancers, whose every connection must begin with a PROXY header. */
  isBalancer: AddressList;
  /**
   * Takes over a connection to the API, its ClientHello still to be read.
   * @param passedOnFor the visitor's address, where a balancer said it
   */
  toApi(socket: Socket, passedOnFor: string | undefined): void;
  /** Told of each connection once, as soon as it is clear. */
  onOutcome?(outcome: ConnectionOutcome): void;
}

/** The public port: routes each TLS connection by the name in its ClientHello, and never answers a tenant's handshake. */
export class PublicListener {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #bySource: Tally;
  /** Connections whose ClientHello is awaited, by source. */
  readonly #awaited = new Tally(maxHelloWaitsPerSource);
  #awaitedInAll = 0;

  constructor(
    private readonly options: PublicListenerOptions,
    private readonly directory: SessionDirectory,
    private readonly bindings: Bindings,
    private readonly logger: Logger,
  ) {
    this.#bySource = new Tally(options.maxConnectionsPerSource);
    const tcp = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs };
    this.#server = createServer(tcp, (socket) => void this.#serve(socket));
  }

  get server(): Server {
    return this.#server;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open.size;
  }

  /** Stops listening and ends what is open. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on('error', () => {});
    // No alert: it would cost more than the connection that is not served.
    if (this.#open.size >= maxPublicConnections) return this.#overLimit(socket);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    const ends = endsOf(socket);
    let passedOn: ProxiedAddresses | undefined;
    if (this.options.isBalancer(ends.source.address)) {
      const header = await this.#awaiting(socket, () => readProxyHeader(socket));
      if (!header || socket.destroyed) return this.options.onOutcome?.('no_proxy_header');
      passedOn = header.addresses;
    }
    const addresses = passedOn ?? ends;
    const source = sourceOf(addresses.source.address);
    if (!this.#bySource.add(source)) return this.#overLimit(socket);
    socket.once('close', () => this.#bySource.remove(source));
    const hello = await this.#hello(socket, source);
    if (!hello) return this.options.onOutcome?.('no_client_hello');
    const hostname = hello.serverName?.toLowerCase();
    const lease = hostname === undefined ? undefined : this.options.leaseAt(hostname);
    if (lease) await this.#route(socket, addresses, hello, lease);
    else if (hostname !== undefined && this.options.apiHosts.has(hostname)) {
      this.options.onOutcome?.('api');
      this.options.toApi(socket, passedOn?.source.address);
    } else {
      this.options.onOutcome?.('unknown_name');
      refuse(socket, 'unrecognized_name');
    }
  }

  #overLimit(socket: Socket): void {
    this.options.onOutcome?.('over_limit');
    socket.destroy();
  }

  /** Reads the ClientHello, unless too many are awaited already. */
  async #hello(socket: Socket, source: string): Promise<ClientHello | undefined> {
    if (!this.#awaited.add(source)) return void socket.destroy();
    try {
      return await this.#awaiting(socket, () => readClientHello(socket));
    } finally {
      this.#awaited.remove(source);
    }
  }

  /** Waits for the first words of a connection, unless too many are waited for already. */
  async #awaiting<T>(socket: Socket, read: () => Promise<T | undefined>): Promise<T | undefined> {
    if (this.#awaitedInAll >= maxHelloWaits) return void socket.destroy();
    this.#awaitedInAll++;
    try {
      return await read();
    } finally {
      this.#awaitedInAll--;
    }
  }

  /** Claims a reverse session for the connection and splices the two until both are done. */
  async #route(socket: Socket, addresses: ProxiedAddresses, hello: ClientHello, lease: Lease): Promise<void> {
    const sessions = this.directory.of(lease);
    if (sessions.live.size >= this.options.maxConnectionsPerLease) {
      this.options.onOutcome?.('lease_over_limit');
      return refuse(socket, 'internal_error');
    }
    const session = await this.#claim(socket, sessions.queue.claim.bind(sessions.queue), sessions.ended);
    // The lease may have ended in the moment between, too.
    if (sessions.ended.aborted) session?.close();
    const routed = session !== undefined && !sessions.ended.aborted;
    this.options.onOutcome?.(routed ? 'routed' : 'no_session');
    if (!routed) {
      if (!socket.destroyed) refuse(socket, 'internal_error');
      return;
    }
    const binding = session.options.binding
      ? this.bindings.issue({ hostname: lease.hostname, generation: lease.generation, clientHello: hello.raw })
      : undefined;
    if (binding) socket.once('close', () => this.bindings.revoke(binding));
    const connection: LiveConnection = {
      cut: () => socket.destroy(),
      drop() {
        socket.resetAndDestroy();
        session.abandon();
      },
      tunnelIp: session.from,
      traffic: { up: 0, down: 0 },
    };
    sessions.live.add(connection);
    const stream = session.claim(openingBytes(session, addresses, binding));
    const error = await splice(socket, stream, meter(connection.traffic, sessions.traffic), sessions.bandwidth);
    sessions.release(connection);
    this.logger.debug(
      { hostname: lease.hostname, from: addresses.source.address, ...connection.traffic, error: error?.message },
      'connection done',
    );
  }

  async #claim(
    socket: Socket,
    claim: (accepts: (session: ReverseSession) => boolean, signal: AbortSignal) => Promise<ReverseSession | undefined>,
    leaseEnded: AbortSignal,
  ): Promise<ReverseSession | undefined> {
    const gone = new AbortController();
    const giveUp = () => gone.abort();
    const timer = setTimeout(giveUp, claimTimeoutMs);
    socket.once('close', giveUp);
    leaseEnded.addEventListener('abort', giveUp, { once: true });
    try {
      const session = await claim(({ options }) => options.binding || this.options.unboundSessions, gone.signal);
      // The visitor may have left in the moment between: the session is unused, but no longer in the queue.
      if (session && socket.destroyed) session.close();
      return socket.destroyed ? undefined : session;
    } finally {
      clearTimeout(timer);
      socket.off('close', giveUp);
      leaseEnded.removeEventListener('abort', giveUp);
    }
  }
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

/** What a tunnel reads before the visitor's own bytes (docs/protocol.md). */
function openingBytes(session: ReverseSession, addresses: ProxiedAddresses, binding: Buffer | undefined): Buffer {
  const parts: Buffer[] = [Buffer.from([marker.tenantTls])];
  if (binding) parts.push(binding);
  if (session.options.proxy) parts.push(proxyHeader(addresses));
  return Buffer.concat(parts);
}

function endsOf(socket: Socket): ProxiedAddresses {
  return {
    source: { address: normalizeIp(socket.remoteAddress), port: socket.remotePort ?? 0 },
    destination: { address: normalizeIp(socket.localAddress), port: socket.localPort ?? 0 },
  };
}
