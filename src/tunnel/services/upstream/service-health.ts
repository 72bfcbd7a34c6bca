import { EventEmitter } from 'node:events';
import { isOutOfFiles } from '../../../sdk/calls/errors.js';

/** That there is no file descriptor left is told no more often than this. */
const outOfFilesNoticeMs = 60_000;

export interface ServiceEvents {
  /** The service stopped answering, or answers again. */
  down: [error: Error];
  up: [];
  /** This process or machine has no file descriptor left, which says nothing of the service. Told once in a while. */
  starved: [error: Error];
  /** Of UDP: so many datagrams more were given up; told now and then. */
  dropped: [datagrams: number];
}

/** Whether a service is up, as each connection to it shows again. */
export class ServiceHealth extends EventEmitter<ServiceEvents> {
  #isDown = false;
  /** When `starved` was told last, by the monotonic clock. */
  #starvedAt = -Infinity;

  protected answered(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.emit('up');
  }

  /** @param message tells people of it; what the system says by default */
  protected failed(error: Error, message?: string): void {
    if (isOutOfFiles(error)) {
      if (performance.now() - this.#starvedAt < outOfFilesNoticeMs) return;
      this.#starvedAt = performance.now();
      this.emit('starved', error);
    } else if (!this.#isDown) {
      this.#isDown = true;
      this.emit('down', message === undefined ? error : new Error(message, { cause: error }));
    }
  }
}
