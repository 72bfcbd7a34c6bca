import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { httpIdleTimeoutMs, maxHttpHeadBytes } from './http-connection.js';
import { HttpConnection } from './http-connection.js';
import type { SpliceOutcome } from '../upstream/splice-service.js';

export interface HttpOptions {
  /** Host header for the service, in place of the visitor's. */
  hostHeader?: string | undefined;
}

export interface HttpVisitor {
  /** Where it is known. */
  address: string | undefined;
  /** The public name that the visitor connected to. */
  hostname: string | undefined;
  /** A new connection to the service. */
  connect(): Promise<Socket>;
  signal: AbortSignal;
}

/**
 * Forwards visitors' requests to the service one by one, so that headers can be set. Node parses and writes both sides,
 * so that the service sees the same requests as this proxy; bodies are streamed.
 */
export class HttpForwarder {
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, HttpConnection>();

  constructor(private readonly options: HttpOptions) {
    // The server never listens, so it enforces no timeouts; `HttpConnection` does. This one is only sent in Keep-Alive
    // headers.
    this.#server = createServer({ maxHeaderSize: maxHttpHeadBytes, keepAliveTimeout: httpIdleTimeoutMs });
    const connectionOf = (request: IncomingMessage) => this.#connections.get(request.socket) as HttpConnection;
    const cut = ({ socket }: IncomingMessage) => socket.destroy();
    const forward = guard(
      'visitor request',
      (request: IncomingMessage, response: ServerResponse) => connectionOf(request).forward(request, response),
      cut,
    );
    for (const event of ['request', 'checkContinue', 'checkExpectation']) this.#server.on(event, forward);
    this.#server.on(
      'clientError',
      guard(
        'visitor error',
        (_error: Error, socket: Duplex) => this.#connections.get(socket)?.malformed(),
        (_error, socket) => socket.destroy(),
      ),
    );
    this.#server.on(
      'upgrade',
      guard(
        'visitor upgrade',
        (request: IncomingMessage, _socket: Duplex, head: Buffer) => connectionOf(request).upgrade(request, head),
        cut,
      ),
    );
  }

  /** Serves a visitor's connection until it is closed. Never rejects. */
  async serve(visitor: Duplex, { address, hostname, connect, signal }: HttpVisitor): Promise<SpliceOutcome> {
    const connection = new HttpConnection(visitor, connect, { address, hostname, hostHeader: this.options.hostHeader });
    this.#connections.set(visitor, connection);
    const cut = () => visitor.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      this.#server.emit('connection', visitor);
      return await connection.over;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
