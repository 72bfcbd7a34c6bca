import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Agent, fetch as undiciFetch } from 'undici';
import type { Fetch } from './bounded-fetch.js';
import { asNetworkError } from './errors.js';
import { addressOptions } from './loopback.js';

/** Connections kept for calls to one relay. Handshakes of visitors wait for a signature each, a few at a time. */
const maxCallConnections = 16;
const keepAliveTimeoutMs = 20_000;
const connectTimeoutMs = 10_000;

export interface RelayTransportOptions {
  /** PEM certificates that are trusted instead of the well-known ones. */
  ca?: string | Buffer;
}

/**
 * How Node reaches relays: one set of TLS rules for API calls and for reverse sessions. The relay's certificate is always
 * verified; names under `localhost` are this machine.
 */
export class RelayTransport {
  readonly #tls: ConnectionOptions;
  readonly #agent: Agent;
  /** Last TLS session of each relay, so that the many connections to one relay cost a full handshake once. */
  readonly #sessions = new Map<string, Buffer>();

  constructor(options: RelayTransportOptions = {}) {
    this.#tls = {
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...addressOptions,
      minVersion: 'TLSv1.2',
    } as ConnectionOptions;
    this.#agent = new Agent({
      connect: { ...this.#tls, timeout: connectTimeoutMs },
      connections: maxCallConnections,
      keepAliveTimeout: keepAliveTimeoutMs,
    });
  }

  /** For `createPortalClient`. */
  readonly fetch: Fetch = async (url, init) => {
    const answer = await undiciFetch(url, { ...(init as Parameters<typeof undiciFetch>[1]), dispatcher: this.#agent });
    return answer as unknown as Response;
  };

  /**
   * A TLS connection of one's own to a relay, speaking HTTP/1.1, its two directions ended separately.
   * @throws NetworkError; the signal's reason when aborted
   */
  async connect(relay: URL, signal: AbortSignal): Promise<TLSSocket> {
    signal.throwIfAborted();
    const port = relay.port === '' ? 443 : Number(relay.port);
    // An IPv6 literal stands in brackets in a URL.
    const host = relay.hostname.replace(/^\[(.*)\]$/, '$1');
    const socket = connect({
      ...this.#tls,
      host,
      port,
      servername: /^[\d.]+$|:/.test(host) ? '' : host,
      ALPNProtocols: ['http/1.1'],
      allowHalfOpen: true,
      session: this.#sessions.get(relay.host),
    } as ConnectionOptions);
    return await new Promise((resolve, reject) => {
      const settle = () => {
        signal.removeEventListener('abort', onAbort);
        socket.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      };
      const fail = (error: unknown) => {
        settle();
        socket.on('error', () => undefined).destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const onAbort = () => fail(signal.reason);
      const onError = (error: Error) => {
        this.#sessions.delete(relay.host);
        fail(asNetworkError(error, relay.host));
      };
      const onClose = () => fail(asNetworkError(new Error('closed during the handshake'), relay.host));
      const onSecure = () => {
        settle();
        socket.setNoDelay(true);
        socket.on('session', (session: Buffer) => this.#sessions.set(relay.host, session));
        resolve(socket);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      socket.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
    });
  }

  /** Ends the connections kept for calls. Connections from `connect` belong to their callers. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
