import { randomBytes } from 'node:crypto';
import { realpathSync, renameSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { ApiError } from '../../contract/index.js';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import { TomlEditError } from './toml-text.js';

/** How often an edit is made anew because somebody else has written the file meanwhile. */
const maxAttempts = 5;

interface FoundFile {
  /** Where a link leads. */
  path: string;
  mode: number;
  /** Another one when the file was written or replaced. */
  stamp: string;
}

/** The configuration file, which people edit by hand as well. */
export class ConfigFile<Configuration> {
  /** @param parse reads a file; relative paths in it start at its folder @throws UsageError with one clear line */
  constructor(
    readonly path: string,
    private readonly parse: (path: string) => Configuration,
  ) {}

  /** @returns undefined when there is none @throws UsageError, or the system's error */
  async read(): Promise<Configuration | undefined> {
    const isThere = await readFile(this.path).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
    return isThere ? this.parse(this.path) : undefined;
  }

  /**
   * Replaces the file as a whole, once what it says is in force; nobody ever reads half of it.
   * @param apply puts what was read in force
   * @param undo puts what was there before in force
   * @throws ApiError `invalid_request` when the result does not hold, `internal` when it cannot be written
   */
  async edit(
    edit: (text: string) => string,
    { apply, undo }: { apply(read: Configuration): Promise<void>; undo(): Promise<void> },
  ): Promise<void> {
    try {
      for (let attempt = 0; attempt < maxAttempts; attempt++) if (await this.#tryEdit(edit, apply, undo)) return;
      throw new ApiError('invalid_request', `${this.path} is being written by others: try again`);
    } catch (error) {
      if (error instanceof UsageError || error instanceof TomlEditError)
        throw new ApiError('invalid_request', error.message, { cause: error });
      const code = error instanceof ApiError ? undefined : systemCode(error);
      if (code === undefined) throw error;
      const message = `${this.path} cannot be changed (${code}): see its folder, and the space on its disk`;
      throw new ApiError('internal', message, { cause: error });
    }
  }

  /** @returns whether nobody else has written it meanwhile */
  async #tryEdit(
    edit: (text: string) => string,
    apply: (read: Configuration) => Promise<void>,
    undo: () => Promise<void>,
  ): Promise<boolean> {
    const { path, mode, stamp } = this.#find();
    const text = stamp === 'none' ? '' : await readFile(path, 'utf8');
    const draft = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      await writeFile(draft, edit(text), { flag: 'wx', mode, flush: true });
      const read = this.parse(draft);
      if (this.#find().stamp !== stamp) return false;
      await apply(read);
      try {
        // Ending services may have taken a while. Nothing is awaited between the look and the replacement.
        if (this.#find().stamp !== stamp) return false;
        renameSync(draft, path);
      } catch (error) {
        await undo();
        throw error;
      }
      return true;
    } finally {
      await rm(draft, { force: true });
    }
  }

  #find(): FoundFile {
    try {
      const path = realpathSync(this.path);
      const { mode, dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
      return { path, mode: Number(mode) & 0o777, stamp: [dev, ino, size, mtimeNs].join() };
    } catch (error) {
      // A new one is its owner's alone.
      if (systemCode(error) === 'ENOENT') return { path: this.path, mode: 0o600, stamp: 'none' };
      throw error;
    }
  }
}
