import type { Duplex } from 'node:stream';
import { type ProxiedAddresses, proxyHeader } from '../../protocol/proxy-protocol.js';
import type { Socket } from 'node:net';
import { HttpForwarder, type HttpOptions } from './http/http-forwarder.js';
import { ServiceHealth } from './upstream/service-health.js';
import { splice, type SpliceOutcome } from './upstream/splice-service.js';
import { connectTarget, type Target } from './upstream/target.js';
import { UnavailablePage } from './http/unavailable-page.js';

export interface ServiceOptions {
  /** Each connection to the service begins with a PROXY protocol v2 header that holds the visitor's address. */
  proxyProtocol?: boolean | undefined;
  /** Requests are forwarded one by one, instead of bytes. */
  http?: HttpOptions;
  /** The protocol is unknown: while the service is down visitors are disconnected instead of shown a page. */
  raw?: true;
}

/** What is known about a visitor. */
export interface VisitorFacts {
  addresses?: ProxiedAddresses | undefined;
  /** The public name that the visitor connected to; absent on a TCP port. */
  hostname?: string | undefined;
}

/** The local service behind the tunnel. */
export class LocalService extends ServiceHealth {
  readonly #page = new UnavailablePage();
  readonly #http: HttpForwarder | undefined;

  constructor(
    readonly target: Target,
    private readonly options: ServiceOptions = {},
  ) {
    super();
    if (options.http) this.#http = new HttpForwarder(options.http);
  }

  /**
   * Serves one visitor until the connection closes. Rejects only with the signal's reason; the caller must then destroy
   * the stream.
   */
  async serve(
    visitor: Duplex,
    { addresses, hostname }: VisitorFacts,
    signal: AbortSignal,
  ): Promise<SpliceOutcome & { unavailable?: true }> {
    if (this.#http) {
      const connect = () => this.#connect(addresses, signal);
      return await this.#http.serve(visitor, { address: addresses?.source.address, hostname, connect, signal });
    }
    let socket: Socket;
    try {
      socket = await this.#connect(addresses, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (this.options.raw) visitor.destroy();
      else await this.#page.serve(visitor);
      return { received: 0, sent: 0, unavailable: true };
    }
    const cut = () => socket.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      return await splice(visitor, socket);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  /** A new connection to the service, for one visitor. */
  async #connect(addresses: ProxiedAddresses | undefined, signal: AbortSignal): Promise<Socket> {
    let socket: Socket;
    try {
      socket = await connectTarget(this.target, signal);
    } catch (error) {
      if (!signal.aborted) this.failed(error as Error);
      throw error;
    }
    this.answered();
    if (this.options.proxyProtocol) socket.write(proxyHeader(addresses));
    return socket;
  }
}
