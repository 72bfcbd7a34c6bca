import type { Duplex } from 'node:stream';
import { InProcessServer } from '../http/in-process-server.js';
import type { Answerer } from '../http/routes.js';
import type { FolderServer } from './folder-server.js';

/** Answers requests from a folder, as a service in this process. */
export class FolderAnswerer implements Answerer {
  readonly origin = { scheme: 'http' as const, host: 'localhost' };
  readonly switchesProtocols = false;
  readonly #server: InProcessServer;

  constructor(folder: FolderServer) {
    // A body is of no interest: it is not asked for.
    this.#server = new InProcessServer((request, response) => folder.serve(request, response));
  }

  /** @see Answerer */
  connect(): Promise<Duplex> {
    return Promise.resolve(this.#server.connect());
  }
}
