import { stat } from 'node:fs/promises';
import { systemCode } from '../../sdk/calls/errors.js';
import { guard } from '../../util/boundary.js';

/**
 * Looks at a file again and again, and tells when it has changed and nobody has written to it since the last look: who writes
 * in place is given time to finish. Looking, not watching: this sees through symbolic links, renames and mounts.
 */
export class ConfigWatch {
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    private readonly path: string,
    private readonly intervalMs: number,
    private readonly onChange: () => void,
  ) {}

  /** What the file is like now counts as known. */
  async start(): Promise<void> {
    const known = await this.#look();
    this.#next(known, known);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #next(known: string, before: string): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(
      guard(
        'configuration check',
        () => this.#compare(known, before),
        () => this.#next(known, before),
      ),
      this.intervalMs,
    );
  }

  async #compare(known: string, before: string): Promise<void> {
    const seen = await this.#look();
    const isNew = seen !== known && seen === before;
    if (isNew && !this.#isOver) this.onChange();
    this.#next(isNew ? seen : known, seen);
  }

  async #look(): Promise<string> {
    try {
      const { ino, dev, size, mtimeNs, mode, uid, gid } = await stat(this.path, { bigint: true });
      // Who may read it counts, too: a file that could not be read is mended by that alone.
      return [dev, ino, size, mtimeNs, mode, uid, gid].join();
    } catch (error) {
      return systemCode(error) ?? 'unreadable';
    }
  }
}
