import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { HttpConnection, type HttpOptions, httpIdleTimeoutMs, maxHttpHeadBytes } from './http-connection.js';
import type { LocalService, ServedOutcome, VisitorFacts } from '../local-service.js';
import type { Upstream } from '../upstream/upstream.js';

/**
 * Forwards visitors' requests to the service one by one, so that headers can be set. Node parses and writes both sides,
 * so that the service sees the same requests as this proxy; bodies are streamed.
 */
export class HttpForwarder implements LocalService {
  readonly #server: Server;
  readonly #connections = new WeakMap<Duplex, HttpConnection>();

  /** @param upstreams the services that the routes lead to */
  constructor(
    readonly upstreams: readonly Upstream[],
    private readonly options: HttpOptions,
  ) {
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
        ({ code }: NodeJS.ErrnoException, socket: Duplex) =>
          this.#connections
            .get(socket)
            ?.malformed(code === 'HPE_HEADER_OVERFLOW' ? 'Request Header Fields Too Large' : 'Bad Request'),
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

  /** @see LocalService; never rejects */
  async serve(visitor: Duplex, { addresses, hostname }: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    const connect = (upstream: Upstream) => upstream.connect(addresses, signal);
    const facts = { address: addresses?.source.address, hostname };
    const connection = new HttpConnection(visitor, connect, facts, this.options);
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
