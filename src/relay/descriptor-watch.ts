import { readFileSync, readdirSync, statSync } from 'node:fs';
import { systemCode } from '../sdk/errors.js';
import { repeat } from '../util/boundary.js';
import { descriptorCheckIntervalMs } from './constants.js';
import type { Logger } from './logger.js';

/** Shares of the limit: from where on there is a warning, and below which it is over. */
const [scarce, ample] = [0.9, 0.8];

/**
 * Warns before the limit of open files is reached, where the system tells it (Linux). Past the limit Node closes each new
 * connection without a word, and nothing else would say why visitors are turned away.
 */
export class DescriptorWatch {
  #timer: NodeJS.Timeout | undefined;
  #isScarce = false;
  /** Kept, for a process that has no descriptor left cannot read it. */
  #limit: number | undefined;

  constructor(private readonly logger: Logger) {}

  start(): void {
    this.#limit = openFilesLimit();
    if (this.#limit === undefined) return;
    this.#timer = repeat('descriptor check', () => this.#check(), descriptorCheckIntervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    // An operator may change the limit of a running process (prlimit).
    const limit = (this.#limit = openFilesLimit() ?? this.#limit ?? Infinity);
    const open = openDescriptors(limit);
    if (!this.#isScarce && open >= limit * scarce) {
      this.#isScarce = true;
      const remedy = 'raise the limit (LimitNOFILE under systemd, ulimit -n), or lower max_connections_per_address';
      this.logger.error({ open, limit }, `too many open files: new connections are about to be closed; ${remedy}`);
    } else if (this.#isScarce && open < limit * ample) {
      this.#isScarce = false;
      this.logger.info({ open, limit }, 'enough file descriptors are free again');
    }
  }
}

function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function openDescriptors(limit: number): number {
  try {
    // Linux 6.2 and newer say it without listing all of them.
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
  } catch (error) {
    // Looking takes a descriptor as well.
    if (systemCode(error) === 'EMFILE') return limit;
    throw error;
  }
}
