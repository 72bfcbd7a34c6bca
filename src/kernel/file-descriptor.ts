import type { Libc } from './libc.js';

/** The one owner of a file descriptor. Its number is reused by the system at once, so nobody may use it afterwards. */
export class FileDescriptor {
  #fd: number | undefined;

  constructor(
    private readonly libc: Pick<Libc, 'close'>,
    fd: number,
  ) {
    this.#fd = fd;
  }

  /** @throws Error after `close` */
  get fd(): number {
    if (this.#fd === undefined) throw new Error('the file descriptor was closed');
    return this.#fd;
  }

  /** Closes it, once. */
  close(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    this.libc.close(fd);
  }

  /** Has another owner. @returns its number. @throws Error after `close` */
  release(): number {
    const { fd } = this;
    this.#fd = undefined;
    return fd;
  }
}
