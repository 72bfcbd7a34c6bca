import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import type { Answerer } from '../http/routes.js';
import { maxHeadBytes } from '../http/message/message-head.js';
import type { FolderServer } from './folder-server.js';

/** Answers requests from a folder, as a service in this process. */
export class FolderAnswerer implements Answerer {
  readonly origin = { scheme: 'http' as const, host: 'localhost' };
  readonly switchesProtocols = false;
  readonly #server: Server;

  constructor(folder: FolderServer) {
    const serve = guard(
      'visitor request',
      (request: IncomingMessage, response: ServerResponse) => folder.serve(request, response),
      ({ socket }) => socket.destroy(),
    );
    // The server never listens, so it enforces no timeouts; the visitor's connection does.
    this.#server = createServer({ maxHeaderSize: 2 * maxHeadBytes, keepAliveTimeout: 0 }, serve);
    // A body is of no interest: it is not asked for.
    this.#server.on('checkContinue', serve).on('checkExpectation', serve);
    this.#server.on(
      'clientError',
      // boundary: cannot throw.
      (_error, socket) => socket.destroy(),
    );
  }

  /** @see Answerer */
  connect(): Promise<Duplex> {
    const [ours, theirs] = duplexPair();
    // boundary: cannot throw.
    ours.once('close', () => theirs.destroy());
    // boundary: cannot throw.
    theirs.once('close', () => ours.destroy());
    theirs.on('error', () => undefined);
    this.#server.emit('connection', theirs);
    return Promise.resolve(ours);
  }
}
