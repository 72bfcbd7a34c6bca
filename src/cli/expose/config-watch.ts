import { stat } from 'node:fs/promises';
import { systemCode } from '../../sdk/calls/errors.js';
import { guard } from '../../util/boundary.js';

/**
 * Polls a file and reports a change once two polls in a row see the same content, so that a writer has time to
 * finish. It polls instead of using fs.watch because polling works with symbolic links, renames and mounts.
 */
export class ConfigWatch {
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    private readonly path: string,
    private readonly intervalMs: number,
    private readonly onChange: () => void,
  ) {}

  /** Takes the file's current state as the known one. */
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
      // The mode counts too: changing it may make an unreadable file readable.
      return [dev, ino, size, mtimeNs, mode, uid, gid].join();
    } catch (error) {
      return systemCode(error) ?? 'unreadable';
    }
  }
}
