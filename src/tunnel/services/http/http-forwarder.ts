import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { httpIdleTimeoutMs, maxHttpHeadBytes } from './http-connection.js';
import { HttpConnection } from './http-connection.js';
import type { SpliceOutcome } from '../upstream/splice-service.js';

export interface HttpOptions {
  /** What the service gets instead of the visitor's Host. */
  hostHeader?: string | undefined;
}

export interface HttpVisitor {
  /** Where it is known. */
  address: string | undefined;
  /** The public name that was visited. */
  hostname: string | undefined;
  /** A new connection to the service. */
  connect(): Promise<Socket>;
  signal: AbortSignal;
}

/**
 * Passes visitors' requests on to the service one by one, so that headers can be set. Both sides are parsed and written by
 * Node, so that the service sees the requests that were seen here; bodies stream.
 */
export class HttpForwarder {
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, HttpConnection>();

  constructor(private readonly options: HttpOptions) {
    // The server never listens, so that it keeps no deadlines; visits do. This one is only told to visitors.
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
