import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError, isApiError } from '../../contract/index.js';
import { normalizeIp } from '../../net/ip-address.js';
import { guardServerErrors } from '../../streams/quic/error-guards.js';
import { QuicDatagrams, closeQuietly } from '../../streams/quic/quic-datagrams.js';
import { readQuicMessage } from '../../streams/quic/quic-message.js';
import {
  type QuicPackage,
  type QuicServer,
  type QuicSession,
  quicOptions,
  quicPingMs,
} from '../../streams/quic/quic-package.js';
import { guard } from '../../util/boundary.js';
import { Mutex } from '../../util/mutex.js';
import { sourceOf } from '../../net/source-network.js';
import type { Certificate } from '../certs/certificate.js';
import type { Logger } from '../../util/logger.js';
import type { LeaseSessions } from '../reverse/lease-sessions.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { Datagrams } from './datagrams.js';

/** Most QUIC connections, including those in their handshake. Each lease has one at most. */
const maxQuicConnections = 8_192;
/** Most of these without a valid token yet, by source address and in all. */
export const maxQuicHellosPerSource = 32;
const maxQuicHellos = 1_024;
/** Deadline from the end of the handshake to a valid token. */
const quicHelloTimeoutMs = 5_000;
/** How long a refused client may take to read the reason. */
const quicRefusalLingerMs = 1_000;

export interface QuicListenerOptions {
  host: string;
  /** @throws Error in one line when the optional package is missing */
  load(): Promise<QuicPackage>;
  certificate(): Certificate;
  /** @throws ApiError when the token may not open a carrier from this address */
  admit(accessToken: string | undefined, clientIp: string): Promise<LeaseSessions>;
  datagrams: Pick<Datagrams, 'attach'>;
  logger: Logger;
}

/** Application error codes for closing a connection (docs/protocol.md). */
const refused = 1;
const violated = 2;

/**
 * The UDP side of the public port: QUIC connections, each the datagram carrier of one lease once its token is
 * verified.
 */
export class QuicListener {
  readonly #options: QuicListenerOptions;
  readonly #sessions = new Set<QuicSession>();
  /** Connections not yet admitted, by source. */
  readonly #hellos = new ConcurrencyLimiter(maxQuicHellosPerSource);
  #helloCount = 0;
  #package: QuicPackage | undefined;
  #server: QuicServer | undefined;
  #port = 0;
  #isStopped = false;
  /** Serializes starts and stops. */
  readonly #steps = new Mutex();

  constructor(options: QuicListenerOptions) {
    this.#options = options;
  }

  /** Whether carriers can currently be opened. */
  get isOffered(): boolean {
    return this.#server !== undefined;
  }

  /** Listens if possible. Otherwise the relay runs without QUIC and logs why. */
  async start(port: number): Promise<void> {
    this.#port = port;
    try {
      this.#package = await this.#options.load();
    } catch (error) {
      this.#options.logger.info({ reason: (error as Error).message }, 'datagrams are carried over WebSocket only');
      return;
    }
    await this.#steps.run(() => this.#listen());
  }

  /**
   * Switches to the current certificate. The library can only do that by listening again: carriers end and tunnels
   * open new ones.
   */
  renew(): void {
    this.#steps
      .run(async () => {
        await this.#close();
        await this.#listen();
      })
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'the QUIC listener could not be renewed'));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#steps.run(() => this.#close());
  }

  async #listen(): Promise<void> {
    if (!this.#package || this.#isStopped) return;
    const { host, certificate, logger } = this.#options;
    const { chainPem, keyPem } = certificate();
    try {
      // The library does not release a server that failed to bind, which would keep the process alive.
      await assertFree(host, this.#port);
      const server = guardServerErrors(
        this.#package.createQuicServer({
          ...quicOptions,
          key: keyPem,
          cert: chainPem,
          maxConnections: maxQuicConnections,
          disableRetry: false,
        }),
      );
      server.on('error', (error) => logger.debug({ err: error }, 'the QUIC listener failed'));
      server.on(
        'session',
        guard(
          'quic session',
          (session: QuicSession) => this.#greet(session),
          (session) => closeQuietly(session, violated),
        ),
      );
      await server.listen(this.#port, host);
      this.#server = server;
      logger.info({ port: this.#port }, 'datagrams can be carried over QUIC');
    } catch (error) {
      logger.warn(
        { port: this.#port, err: error },
        'QUIC is not available: the UDP side of the public port cannot be used',
      );
    }
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const session of this.#sessions) session.emit('close', { errorCode: 0, reason: 'the relay closes' });
    await server?.close();
  }

  /** A connection after its handshake: its address is verified, its lease not yet known. */
  #greet(session: QuicSession): void {
    const clientIp = normalizeIp(session.remoteAddress);
    const source = sourceOf(clientIp);
    if (this.#helloCount >= maxQuicHellos || !this.#hellos.add(source)) return closeQuietly(session, refused);
    this.#helloCount++;
    this.#sessions.add(session);
    let timer: NodeJS.Timeout | undefined;
    let isOpen = true;
    let isGreeted = false;
    const greeted = () => {
      if (isGreeted) return;
      isGreeted = true;
      clearTimeout(timer);
      this.#helloCount--;
      this.#hellos.remove(source);
    };
    session.once('close', () => {
      isOpen = false;
      this.#sessions.delete(session);
      greeted();
    });
    timer = setTimeout(() => closeQuietly(session, violated), quicHelloTimeoutMs);
    const closeViolated = () => closeQuietly(session, violated);
    const onStream = async (stream: Duplex & { readonly id: number }) => {
      // The client's first stream is the only one; after it come datagrams.
      // boundary: closeQuietly() catches whatever the package throws.
      session.on('stream', closeViolated);
      if (stream.id !== 0) return closeQuietly(session, violated);
      let sessions: LeaseSessions;
      try {
        sessions = await this.#options.admit(tokenIn(await readQuicMessage(stream)), clientIp);
      } catch (error) {
        if (!isOpen) return;
        if (!isApiError(error)) {
          this.#options.logger.debug({ from: clientIp, reason: (error as Error).message }, 'no QUIC carrier');
          return closeQuietly(session, violated);
        }
        stream.end(JSON.stringify({ ok: false, error: error.code }));
        clearTimeout(timer);
        // Send the response first: a refused client closes by itself.
        timer = setTimeout(() => closeQuietly(session, refused), quicRefusalLingerMs);
        return;
      }
      if (!isOpen) return;
      greeted();
      stream.resume().end(JSON.stringify({ ok: true }));
      this.#options.datagrams.attach(sessions, new QuicDatagrams(session, { pingMs: quicPingMs }), clientIp);
    };
    session.once('stream', guard('quic stream', onStream, closeViolated));
  }
}

/** @throws the system's error when the UDP port is in use */
async function assertFree(host: string, port: number): Promise<void> {
  const probe = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    probe.bind({ address: host, port, exclusive: true });
    await once(probe, 'listening');
  } finally {
    probe.close();
  }
}

/** @throws ApiError `invalid_request` for an invalid message */
function tokenIn(message: unknown): string | undefined {
  const token = typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : undefined;
  if (token === undefined || (token['access_token'] !== undefined && typeof token['access_token'] !== 'string'))
    throw new ApiError('invalid_request', 'the first stream must carry {"access_token": "..."}');
  return token['access_token'];
}
