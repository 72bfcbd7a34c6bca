import { X509Certificate } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { Agent, fetch as undiciFetch } from 'undici';
import type { Fetch } from '../calls/bounded-fetch.js';
import { withDeadline } from '../calls/deadline.js';
import { type TlsDialDetails, type TlsDialOptions, dialTls } from './dial-tls.js';
import { NetworkError } from '../calls/errors.js';

/** Most pooled connections for calls to one relay. TLS handshakes wait for a signature each, a few at a time. */
const maxCallConnections = 16;
/** Shorter than a relay's keep-alive timeout, so that no connection is used while the relay closes it. */
const keepAliveTimeoutMs = 50_000;
const connectTimeoutMs = 10_000;
const maxPresentedCertificates = 10;
/** Most relays whose TLS session is cached: discovery may find an unbounded number. */
const maxKeptSessions = 64;

export interface RelayTransportOptions extends TlsDialOptions {
  /** Most pooled connections for calls; 16 by default. */
  maxConnections?: number;
}

/** How Node connects to relays: the same TLS and proxy settings for API calls and reverse sessions. */
export class RelayTransport {
  readonly #options: TlsDialOptions;
  readonly #agent: Agent;
  /** TLS session cache by relay and ALPN offer, so that only the first connection needs a full handshake. */
  readonly #sessions = new Map<string, Buffer>();
  readonly #closing = new AbortController();
  /** The remote address of the last connection. */
  remoteAddress: string | undefined;

  constructor({ maxConnections = maxCallConnections, ...options }: RelayTransportOptions = {}) {
    this.#options = options;
    // One listener per pending connection.
    setMaxListeners(0, this.#closing.signal);
    this.#agent = new Agent({
      connect: ({ protocol, host, hostname }, callback) => {
        const url = new URL(`${protocol}//${host ?? hostname}`);
        this.#connectForCalls(url).then(
          (socket) => callback(null, socket),
          (error: Error) => callback(error, null),
        );
      },
      connections: maxConnections,
      keepAliveTimeout: keepAliveTimeoutMs,
    });
  }

  /** For `createPortalClient`. */
  readonly fetch: Fetch = async (url, init) => {
    const answer = await undiciFetch(url, {
      ...(init as unknown as Parameters<typeof undiciFetch>[1]),
      dispatcher: this.#agent,
    });
    return answer;
  };

  /**
   * Opens a separate TLS connection to a relay, for HTTP/1.1, with half-close.
   * @throws NetworkError; the signal's reason when aborted
   */
  async connect(relay: URL, signal: AbortSignal): Promise<TLSSocket> {
    return await this.#dial(relay, { allowHalfOpen: true }, signal);
  }

  /**
   * The same, over the stream that `over` makes of the TCP connection.
   * @param alpn offered before `http/1.1`
   */
  async connectOver(relay: URL, alpn: string, over: (tcp: Socket) => Duplex, signal: AbortSignal): Promise<TLSSocket> {
    return await this.#dial(relay, { allowHalfOpen: true, over }, signal, alpn);
  }

  /**
   * The certificates that a relay presents, DER, leaf first, without a root behind others.
   * @throws NetworkError; the signal's reason when aborted
   */
  async presentedChain(relay: URL, signal: AbortSignal): Promise<Buffer[]> {
    // A resumed session presents none.
    const socket = await this.#dial(relay, { session: undefined }, signal);
    const chain: X509Certificate[] = [];
    let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    while (next?.raw && chain.length < maxPresentedCertificates) {
      const certificate: X509Certificate = new X509Certificate(next.raw);
      const isRoot: boolean = certificate.checkIssued(certificate);
      if (!isRoot || chain.length === 0) chain.push(certificate);
      next = isRoot ? undefined : next.issuerCertificate;
    }
    socket.destroy();
    return chain.map(({ raw }) => raw);
  }

  /** Closes pooled and pending connections for calls. Connections from `connect` belong to their callers. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the transport was closed'));
    await this.#agent.destroy();
  }

  async #connectForCalls(relay: URL): Promise<TLSSocket> {
    const expired = () => new NetworkError('timeout', `cannot reach ${relay.host} within ${connectTimeoutMs / 1000} s`);
    return await withDeadline(connectTimeoutMs, this.#closing.signal, expired, (signal) =>
      this.#dial(relay, {}, signal),
    );
  }

  async #dial(relay: URL, wanted: TlsDialDetails, signal: AbortSignal, alpn?: string): Promise<TLSSocket> {
    const kind = [relay.host, alpn].join(' ');
    const details: TlsDialDetails = {
      minVersion: 'TLSv1.2',
      ALPNProtocols: [...(alpn === undefined ? [] : [alpn]), 'http/1.1'],
      session: this.#sessions.get(kind),
      ...wanted,
    };
    try {
      const socket = await dialTls(relay, this.#options, details, signal);
      socket.setNoDelay(true);
      this.remoteAddress = socket.remoteAddress ?? this.remoteAddress;
      // boundary: it only stores bytes and cannot throw.
      socket.on('session', (given: Buffer) => this.#keep(kind, given));
      return socket;
    } catch (error) {
      this.#sessions.delete(kind);
      throw error;
    }
  }

  #keep(kind: string, session: Buffer): void {
    this.#sessions.delete(kind);
    this.#sessions.set(kind, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= maxKeptSessions) break;
      this.#sessions.delete(oldest);
    }
  }
}
