import { EventEmitter } from 'node:events';
import { isOutOfFiles } from '../../../sdk/calls/errors.js';

/** Shortest interval between reports of a lack of file descriptors. */
const outOfFilesNoticeMs = 60_000;

/** What a service speaks; `tls` where it was given without `https://`. */
export type Protocol = 'http' | 'bytes' | 'tls';

export interface ServiceEvents {
  /** It was found out what the service speaks. */
  recognised: [protocol: Protocol];
  /** The service refuses requests of the public name. */
  refuses: [what: string];
  /** The service stopped responding, or responds again. */
  down: [error: Error];
  up: [];
  /** It did not respond to one visitor: the first time, as with `down`, and each time after. */
  missed: [];
  /**
   * This process or machine has no file descriptor left, which says nothing about the service. Reported at intervals.
   */
  starved: [error: Error];
  /** UDP: this many more datagrams were dropped. Reported at intervals. */
  dropped: [datagrams: number];
}

/** Whether a service is up, updated with each connection to it. */
export class ServiceHealth extends EventEmitter<ServiceEvents> {
  #isDown = false;
  /** When `starved` was last emitted, by the monotonic clock. */
  #starvedAt = -Infinity;

  protected answered(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.emit('up');
  }

  /** @param message for people; by default the system's message */
  protected failed(error: Error, message?: string): void {
    if (isOutOfFiles(error)) {
      if (performance.now() - this.#starvedAt < outOfFilesNoticeMs) return;
      this.#starvedAt = performance.now();
      this.emit('starved', error);
      return;
    }
    this.emit('missed');
    if (this.#isDown) return;
    this.#isDown = true;
    this.emit('down', message === undefined ? error : new Error(message, { cause: error }));
  }
}
