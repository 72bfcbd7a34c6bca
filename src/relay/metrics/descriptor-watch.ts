import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { systemCode } from '../../sdk/calls/errors.js';
import { repeat } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';

/** How often the number of open file descriptors is compared with its limit. */
const descriptorCheckIntervalMs = 2_000;

const limitsFile = '/proc/self/limits';
const openFiles = '/proc/self/fd';
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
    if (!existsSync(limitsFile)) return;
    this.#timer = repeat('descriptor check', () => this.#check(), descriptorCheckIntervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { open, limit } = descriptors();
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

/** The limit is read each time, since an operator can change it for a running process (prlimit). */
function descriptors(): { open: number; limit: number } {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync(limitsFile, 'latin1')) ?? [];
    // Linux 6.2 and newer report the number without a listing.
    const open = statSync(openFiles).size || readdirSync(openFiles).length;
    return { open, limit: Number(soft ?? Infinity) };
  } catch (error) {
    if (systemCode(error) !== 'EMFILE') throw error;
    // Reading needs a descriptor too, and there is none left.
    const open = statSync(openFiles).size;
    return { open, limit: open };
  }
}
