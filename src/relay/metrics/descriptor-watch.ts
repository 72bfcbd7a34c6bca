import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { systemCode } from '../../sdk/calls/errors.js';
import { repeat } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';

/** How often open file descriptors are held against their limit. */
const descriptorCheckIntervalMs = 2_000;

const limitsFile = '/proc/self/limits';
const openFiles = '/proc/self/fd';
/** Shares of the limit: from where on there is a warning, and below which it is over. */
const [scarce, ample] = [0.9, 0.8];

/**
 * Warns before the limit of open files is reached, where the system tells it (Linux). Past the limit Node closes each new
 * connection silently, and nothing else would say why visitors are refused.
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

/** The limit is read each time, for an operator may change that of a running process (prlimit). */
function descriptors(): { open: number; limit: number } {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync(limitsFile, 'latin1')) ?? [];
    // Linux 6.2 and newer say it without listing all of them.
    const open = statSync(openFiles).size || readdirSync(openFiles).length;
    return { open, limit: Number(soft ?? Infinity) };
  } catch (error) {
    if (systemCode(error) !== 'EMFILE') throw error;
    // Looking takes a descriptor as well, and there is none.
    const open = statSync(openFiles).size;
    return { open, limit: open };
  }
}
