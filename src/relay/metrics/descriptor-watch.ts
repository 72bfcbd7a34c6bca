import { repeat } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import { fileDescriptors, reportsOpenFiles } from '../../util/open-files.js';

/** How often the number of open file descriptors is compared with its limit. */
const descriptorCheckIntervalMs = 2_000;

/** Shares of the limit at which the warning starts and ends (hysteresis). */
const [scarce, ample] = [0.9, 0.8];

/**
 * Warns before the limit of open files is reached, where the system reports it (Linux). Past the limit Node closes
 * new connections silently, and nothing else would explain the refusals.
 */
export class DescriptorWatch {
  #timer: NodeJS.Timeout | undefined;
  #isScarce = false;

  constructor(private readonly logger: Logger) {}

  start(): void {
    if (!reportsOpenFiles()) return;
    this.#timer = repeat('descriptor check', () => this.#check(), descriptorCheckIntervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { open, limit } = fileDescriptors();
    if (!this.#isScarce && open >= limit * scarce) {
      this.#isScarce = true;
      const remedy = 'raise the limit (LimitNOFILE under systemd, ulimit -n), or lower max_connections_per_address';
      this.logger.error({ open, limit }, `too many open files: new connections are about to be closed; ${remedy}`);
    } else if (this.#isScarce && open < limit * ample) {
      this.#isScarce = false;
      this.logger.info({ open, limit }, 'file descriptors are available again');
    }
  }
}
