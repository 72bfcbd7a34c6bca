import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { splice, type SpliceOutcome } from './splice.js';
import { connectTarget, type Target } from './target.js';
import { UnavailablePage } from './unavailable-page.js';

export interface LocalServiceEvents {
  /** The service stopped answering, or answers again. */
  down: [error: Error];
  up: [];
}

/** The service behind the tunnel: where visitors are led to. Whether it is up shows anew at each visitor. */
export class LocalService extends EventEmitter<LocalServiceEvents> {
  readonly #page = new UnavailablePage();
  #isDown = false;

  constructor(readonly target: Target) {
    super();
  }

  /** Serves one visitor to the end. Rejects only with the signal's reason; the stream is the caller's to destroy then. */
  async serve(visitor: Duplex, signal: AbortSignal): Promise<SpliceOutcome & { unavailable?: true }> {
    let socket;
    try {
      socket = await connectTarget(this.target, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!this.#isDown) {
        this.#isDown = true;
        this.emit('down', error as Error);
      }
      await this.#page.serve(visitor);
      return { received: 0, sent: 0, unavailable: true };
    }
    if (this.#isDown) {
      this.#isDown = false;
      this.emit('up');
    }
    const cut = () => socket.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      return await splice(visitor, socket);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
