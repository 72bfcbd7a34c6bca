import { EventEmitter, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { ApiError } from '../contract/errors.js';
import type { PortalClient } from '../sdk/client.js';
import type { Identity } from '../sdk/identity.js';
import { LeaseKeeper, type Metadata, type Registration } from '../sdk/lease-keeper.js';
import { reactTo, type LeaseCall } from '../sdk/reactions.js';
import { type SignRequest, TicketKeys } from '../tls/index.js';
import type { Carrier } from './carrier.js';
import type { Claim } from './claim.js';
import { maxLiveConnections } from './constants.js';
import { Keyless, type RelayCertificate } from './keyless.js';
import type { LocalService } from './local-service.js';
import { SessionPool } from './session-pool.js';
import { acceptVisitor } from './tenant-connection.js';

export interface RelayLinkOptions {
  client: PortalClient;
  carrier: Carrier;
  identity: Identity;
  name: string;
  metadata?: Metadata;
  ttl?: number;
  service: LocalService;
}

/** How one visitor's connection went. */
export interface ConnectionReport {
  hostname: string;
  /** Whether a ticket spared the relay's signature; undefined when the handshake failed. */
  resumed?: boolean;
  /** Bytes from the visitor, and to it. */
  received: number;
  sent: number;
  durationMs: number;
  /** The service did not answer, and the visitor was told so. */
  unavailable?: true;
  /** What broke it, when it did not end by itself. */
  error?: Error;
}

export interface RelayLinkEvents {
  registered: [registration: Registration];
  /** The first session of a registration is open: visitors are served. */
  online: [registration: Registration];
  lost: [registration: Registration, error: Error];
  waiting: [call: LeaseCall, error: Error, delayMs: number];
  connection: [report: ConnectionReport];
}

/** What ties a service to one relay: its lease, its reverse sessions, and the visitors that come through them. */
export class RelayLink extends EventEmitter<RelayLinkEvents> {
  readonly #options: RelayLinkOptions;
  readonly #keeper: LeaseKeeper;
  readonly #keyless: Keyless;
  readonly #tickets = new TicketKeys();
  /** Ends the lease's life and the opening of sessions. */
  readonly #leave = new AbortController();
  /** Ends live connections. */
  readonly #cut = new AbortController();
  readonly #live = new Set<Promise<void>>();
  #pool: SessionPool | undefined;

  constructor(options: RelayLinkOptions) {
    super();
    this.#options = options;
    // One listener a connection.
    setMaxListeners(0, this.#cut.signal);
    const { client, carrier, identity, name, metadata, ttl } = options;
    this.#keyless = new Keyless(client);
    this.#keeper = new LeaseKeeper({
      client,
      identity,
      name,
      metadata,
      ttl,
      prepare: (signal) => this.#keyless.refresh(carrier.name, signal),
    });
    this.#keeper.on('registered', (registration) => {
      this.emit('registered', registration);
      this.#openPool(registration);
    });
    this.#keeper.on('renewed', () => {
      // A failure is as good as none: the chain at hand goes on serving, and a renewal comes soon.
      this.#keyless.refresh(carrier.name, this.#leave.signal).catch(() => undefined);
    });
    this.#keeper.on('lost', (registration, error) => {
      this.#pool?.stop();
      this.emit('lost', registration, error);
    });
    this.#keeper.on('waiting', (call, error, delayMs) => this.emit('waiting', call, error, delayMs));
  }

  get liveConnections(): number {
    return this.#live.size;
  }

  /**
   * Serves until `leave`.
   * @throws what made going on pointless; live connections go on until they end or are `cut`
   */
  async run(): Promise<void> {
    try {
      await this.#keeper.run(this.#leave.signal);
    } finally {
      this.#pool?.stop();
    }
  }

  /** Gives the lease back and closes the sessions that wait. Connections that live go on. */
  async leave(): Promise<void> {
    this.#leave.abort(new Error('the tunnel closes'));
    // The relay stops sending visitors before their sessions go.
    await this.#keeper.unregister();
    this.#pool?.stop();
  }

  /** Settles when no connection is left. */
  async drained(): Promise<void> {
    while (this.#live.size > 0) await Promise.all(this.#live);
  }

  /** Ends live connections at once. */
  cut(): void {
    this.#cut.abort(new Error('the tunnel closes'));
  }

  #openPool(registration: Registration): void {
    this.#pool?.stop();
    let isOnline = false;
    this.#pool = new SessionPool({
      dial: (signal) => this.#options.carrier.dial({ accessToken: registration.accessToken, signal }),
      onReady: () => {
        this.#keeper.accepted(registration);
        if (isOnline) return;
        isOnline = true;
        this.emit('online', registration);
      },
      onClaim: (claim) => {
        const served = this.#serve(claim, registration).finally(() => {
          this.#live.delete(served);
          if (this.#live.size === maxLiveConnections - 1) this.#pool?.fill();
        });
        this.#live.add(served);
      },
      hasRoom: () => this.#live.size < maxLiveConnections,
      onRefused: (error) => this.#keeper.refused(registration, 'connect', error),
      onWaiting: (error, delayMs) => {
        isOnline = false;
        this.emit('waiting', 'connect', error, delayMs);
      },
    });
    this.#pool.start();
  }

  async #serve(claim: Claim, registration: Registration): Promise<void> {
    const startedAt = performance.now();
    const report: ConnectionReport = { hostname: registration.hostname, received: 0, sent: 0, durationMs: 0 };
    let stream: Duplex = claim.stream;
    const cut = () => stream.destroy();
    this.#cut.signal.addEventListener('abort', cut, { once: true });
    try {
      this.#cut.signal.throwIfAborted();
      const { certificate } = this.#keyless;
      const visitor = await acceptVisitor(claim, {
        hostname: registration.hostname,
        certificate,
        tickets: this.#tickets,
        sign: (request, binding) => this.#sign(registration, certificate, request, binding),
      });
      stream = visitor;
      report.resumed = visitor.resumed;
      Object.assign(report, await this.#options.service.serve(visitor, this.#cut.signal));
    } catch (error) {
      report.error = error as Error;
      stream.destroy();
    } finally {
      this.#cut.signal.removeEventListener('abort', cut);
    }
    report.durationMs = performance.now() - startedAt;
    this.emit('connection', report);
  }

  async #sign(
    registration: Registration,
    certificate: RelayCertificate,
    { schemeName, transcript, signal }: SignRequest,
    binding: Buffer,
  ): Promise<Buffer> {
    try {
      return await this.#keyless.sign(registration.accessToken, certificate, {
        binding,
        schemeName,
        transcript,
        signal,
      });
    } catch (error) {
      if (error instanceof ApiError) {
        // Perhaps the chain has changed. This visitor's handshake is past saving: its binding is spent.
        if (error.code === 'invalid_request') {
          void this.#keyless.refreshAfterRefusal(this.#options.carrier.name, this.#leave.signal);
        } else if (reactTo(error, 'sign', true).do !== 'wait') {
          this.#keeper.refused(registration, 'sign', error);
        }
      }
      throw error;
    }
  }
}
