import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { maxHeadBytes } from './message/message-head.js';

/** An HTTP/1.1 server in this process that requests are forwarded to like to any other service. */
export class InProcessServer {
  readonly #server: Server;

  /**
   * @param serve gets requests with `Expect: 100-continue` too, and says itself whether the body may follow
   * @param upgrade gets requests that ask for another protocol
   */
  constructor(
    serve: (request: IncomingMessage, response: ServerResponse) => unknown,
    upgrade?: (request: IncomingMessage, connection: Duplex) => unknown,
  ) {
    const guarded = guard('visitor request', serve, ({ socket }) => socket.destroy());
    // It never listens, so it enforces no timeouts; the visitor's connection does.
    this.#server = createServer({ maxHeaderSize: 2 * maxHeadBytes, keepAliveTimeout: 0 }, guarded);
    this.#server.on('checkContinue', guarded).on('checkExpectation', guarded);
    if (upgrade)
      this.#server.on(
        'upgrade',
        guard('visitor request', upgrade, (_request, connection) => connection.destroy()),
      );
    this.#server.on(
      'clientError',
      // boundary: cannot throw.
      (_error, socket) => socket.destroy(),
    );
  }

  /** A connection to it. */
  connect(): Duplex {
    const [ours, theirs] = duplexPair();
    // boundary: cannot throw.
    ours.once('close', () => theirs.destroy());
    // boundary: cannot throw.
    theirs.once('close', () => ours.destroy());
    theirs.on('error', () => undefined);
    this.#server.emit('connection', theirs);
    return ours;
  }
}
