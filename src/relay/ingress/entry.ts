import { randomBytes } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { EntryEngine, type EntryLease, type EntrySigning } from '../../entry/entry-engine.js';
import { type Libc, loadLibc } from '../../kernel/libc.js';
import type { ListeningSockets } from '../../net/listening-sockets.js';
import { relayKeepAliveMs } from '../../net/tcp-keepalive.js';
import { bindingBytes } from '../../protocol/session-opening.js';
import { background } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import type { Bindings } from '../keyless/bindings.js';
import type { SigningSession } from '../keyless/session-signer.js';
import type { Lease } from '../leases/lease.js';
import { recycledReadyLimit } from '../reverse/admission.js';
import type { SessionLender } from '../reverse/lent-sessions.js';
import { maxWaitingClaims } from '../reverse/ready-queue.js';
import type { OutcomeObserver } from './connection-outcome.js';
import { maxHelloWaits, maxPublicConnections, type PublicConnections } from './public-connections.js';
import { maxHelloWaitsPerSource } from './public-listener.js';
import { clientHelloTimeoutMs } from './read-client-hello.js';
import { proxyHeaderTimeoutMs } from './read-proxy-header.js';

export interface EntryOptions {
  maxConnectionsPerSource: number;
  /** Addresses and ranges whose connections begin with a PROXY header. */
  balancers: string[];
  connections: PublicConnections;
  bindings: Bindings;
  sockets: ListeningSockets;
  logger: Logger;
  /** Whether a visitor may wait for a session of this node alone: there is no other. */
  isAlone: boolean;
  onOutcome?: OutcomeObserver | undefined;
  sign(message: Buffer, session: SigningSession): Buffer;
  maxConnections(lease: Lease): number;
  /** Serves a connection from its first byte on. */
  serve(socket: Socket): void;
  /** Sessions can be lent from now on. */
  onReady(): void;
}

/** The entry worker, as a part of the relay: it accepts the connections of the public port once it has sessions for them. */
export class Entry implements SessionLender {
  readonly #engine: EntryEngine;
  #server: Server | undefined;

  private constructor(
    private readonly options: EntryOptions,
    private readonly libc: Libc,
  ) {
    const { connections, logger, onOutcome, balancers } = options;
    const limits = {
      maxConnections: maxPublicConnections,
      maxConnectionsPerSource: options.maxConnectionsPerSource,
      maxAwaited: maxHelloWaits,
      maxAwaitedPerSource: maxHelloWaitsPerSource,
      headerTimeoutMs: proxyHeaderTimeoutMs,
      helloTimeoutMs: clientHelloTimeoutMs,
      maxReady: recycledReadyLimit,
      maxWaiting: maxWaitingClaims,
    };
    this.#engine = new EntryEngine(libc, limits, balancers, {
      onVisitor: (socket) => options.serve(socket),
      onReturned: (socket) => connections.keep(socket),
      onOutcome: (outcome) => onOutcome?.(outcome),
      onReady: () => {
        connections.share(this.#engine.sources);
        this.#lendListener();
        options.onReady();
      },
      onFailed: (error, sessions, listening) => {
        logger.error({ err: error, sessions }, 'the entry worker failed: its sessions and connections were ended');
        connections.share(undefined);
        if (listening !== undefined) this.#takeBack(listening);
      },
    });
  }

  /** @returns undefined where it is not available: not Linux, or without the optional package koffi */
  static load(options: EntryOptions): Entry | undefined {
    const libc = loadLibc();
    return libc && new Entry(options, libc);
  }

  /** Accepts the connections of this server, which listens, as soon as there is a worker. */
  attach(server: Server): void {
    this.#server = server;
  }

  #lendListener(): void {
    if (this.#server?.listening)
      this.options.sockets.lend(this.#server, (fd) => this.#engine.listen(fd, relayKeepAliveMs));
  }

  #takeBack(fd: number): void {
    const server = this.#server;
    if (server) background('public connection', () => this.options.sockets.takeBack(server, fd));
  }

  /** Has the server accept by itself again, to close it or to hand it over. */
  async returnListener(): Promise<void> {
    const fd = await this.#engine.unlisten();
    const server = this.#server;
    this.#server = undefined;
    if (fd !== undefined && server) await this.options.sockets.takeBack(server, fd);
  }

  /** Ends the worker with all that it has. */
  async stop(): Promise<void> {
    await this.#engine.stop();
  }

  // For the sessions

  open({ hostname, ownCertificate, sessionWaitSeconds }: Lease, onIdle: () => void): EntryLease | undefined {
    if (!this.#engine.isReady) return undefined;
    const waits = this.options.isAlone && sessionWaitSeconds > 0;
    return this.#engine.open({ hostname, takesAcme: ownCertificate === true, waits }, onIdle);
  }

  duplicate(fd: number): number {
    return this.libc.duplicate(fd);
  }

  /** As for a connection that was routed here: the binding is spent at once. */
  sign(lease: Lease, tunnelIp: string, { message, clientHello }: EntrySigning): Buffer {
    const { bindings, sign } = this.options;
    const { hostname, generation } = lease;
    // Without a ClientHello it is one that nobody knows.
    const binding = clientHello ? bindings.issue({ hostname, generation, clientHello }) : randomBytes(bindingBytes);
    try {
      return sign(message, { lease, binding, tunnelIp });
    } finally {
      bindings.revoke(binding);
    }
  }

  maxConnections(lease: Lease): number {
    return this.options.maxConnections(lease);
  }
}
