import { createRequire } from 'node:module';

// The only module that calls libc, through the optional package koffi. It gives out numbers, never addresses.

/** Errors that callers handle, by their Linux number. */
export const errno = {
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
} as const;

const names: ReadonlyMap<number, string> = new Map([
  [1, 'EPERM'],
  [9, 'EBADF'],
  [22, 'EINVAL'],
  [28, 'ENOSPC'],
  [110, 'ETIMEDOUT'],
  [113, 'EHOSTUNREACH'],
  ...Object.entries(errno).map(([name, number]) => [number, name] as const),
]);

/** A failed call: `code` and `syscall` are those that Node's own errors have. */
export class KernelError extends Error {
  readonly code: string;

  constructor(
    readonly syscall: string,
    readonly errno: number,
  ) {
    const code = names.get(errno) ?? `errno ${errno}`;
    super(`${syscall} ${code}`);
    this.code = code;
  }
}

/** A pipe, by its file descriptors. */
export interface Pipe {
  read: number;
  write: number;
  /** Capacity. */
  bytes: number;
}

/** The other end of a connection, or this one. */
export interface SocketEnd {
  /** IPv4, or IPv6, of which some are IPv4-mapped. */
  bytes: Buffer;
  port: number;
}

/** Linux constants, the same on x64 and arm64. */
const flag = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_CLOEXEC: 0o2000000,
  SOCK_NONBLOCK: 0o4000,
  SOL_SOCKET: 1,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  SHUT_WR: 1,
  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EFD_CLOEXEC: 0o2000000,
  EFD_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  O_NONBLOCK: 0o4000,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  F_GETPIPE_SZ: 1032,
  CLOCK_THREAD_CPUTIME_ID: 3,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  MSG_MORE: 0x8000,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,
} as const;

/** Events of epoll. */
export const epoll = { IN: 0x1, OUT: 0x4, ERR: 0x8, HUP: 0x10, RDHUP: 0x2000, ET: 0x80000000 } as const;

/** `struct epoll_event`: packed on x64, aligned on arm64. */
const layouts = {
  x64: { size: 12, data: 4 },
  arm64: { size: 16, data: 8 },
} as const;
/** Most events of one `epollWait`. */
const maxEvents = 256;

type Foreign = (...args: unknown[]) => number;
interface Koffi {
  load(path: null): { func(signature: string): Foreign };
  errno(): number;
}

const signatures = {
  close: 'int close(int)',
  fcntl: 'int fcntl(int, int, int)',
  pipe2: 'int pipe2(void *, int)',
  eventfd: 'int eventfd(unsigned int, int)',
  read: 'int64_t read(int, void *, size_t)',
  write: 'int64_t write(int, void *, size_t)',
  recv: 'int64_t recv(int, void *, size_t, int)',
  send: 'int64_t send(int, void *, size_t, int)',
  accept: 'int accept4(int, void *, void *, int)',
  getsockname: 'int getsockname(int, void *, void *)',
  setsockopt: 'int setsockopt(int, int, int, void *, unsigned int)',
  shutdown: 'int shutdown(int, int)',
  splice: 'int64_t splice(int, void *, int, void *, size_t, unsigned int)',
  clockGettime: 'int clock_gettime(int, void *)',
  epollCreate: 'int epoll_create1(int)',
  epollCtl: 'int epoll_ctl(int, int, int, void *)',
  epollWait: 'int epoll_wait(int, void *, int, int)',
} as const;

/**
 * System calls on file descriptors. Those that may have to wait return a negative errno instead of throwing, since
 * that happens all the time.
 */
export class Libc {
  readonly #call: Record<keyof typeof signatures, Foreign>;
  readonly #errno: () => number;
  readonly #layout: (typeof layouts)['x64' | 'arm64'];
  readonly #event: Buffer;
  readonly #events: Buffer;
  readonly #word = Buffer.alloc(8);
  /** `struct timespec` of both architectures: seconds and nanoseconds, 8 bytes each. */
  readonly #timespec = Buffer.alloc(16);
  /** `struct sockaddr_storage`, as much of it as an IPv6 address takes. */
  readonly #address = Buffer.alloc(28);
  readonly #addressLength = Buffer.alloc(4);

  constructor(koffi: Koffi, arch: 'x64' | 'arm64') {
    const library = koffi.load(null);
    const bound = Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)]);
    this.#call = Object.fromEntries(bound) as Record<keyof typeof signatures, Foreign>;
    this.#errno = () => koffi.errno();
    this.#layout = layouts[arch];
    this.#event = Buffer.alloc(this.#layout.size);
    this.#events = Buffer.alloc(maxEvents * this.#layout.size);
  }

  /** @throws KernelError; the descriptor is closed even then */
  close(fd: number): void {
    this.#check('close', this.#call.close(fd));
  }

  /** A second descriptor of the same open file. @throws KernelError, such as EMFILE */
  duplicate(fd: number): number {
    return this.#check('fcntl', this.#call.fcntl(fd, flag.F_DUPFD_CLOEXEC, 0));
  }

  /**
   * A pipe that does not block.
   * @param bytes the wanted capacity; the system may allow less
   * @throws KernelError, such as EMFILE
   */
  pipe(bytes: number): Pipe {
    this.#check('pipe2', this.#call.pipe2(this.#word, flag.O_CLOEXEC | flag.O_NONBLOCK));
    const [read, write] = [this.#word.readInt32LE(0), this.#word.readInt32LE(4)];
    this.#call.fcntl(write, flag.F_SETPIPE_SZ, bytes);
    return { read, write, bytes: Math.max(0, this.#call.fcntl(write, flag.F_GETPIPE_SZ, 0)) };
  }

  /** @throws KernelError, such as EMFILE */
  eventfd(): number {
    return this.#check('eventfd', this.#call.eventfd(0, flag.EFD_CLOEXEC | flag.EFD_NONBLOCK));
  }

  /** Makes an eventfd readable. */
  signal(fd: number): void {
    this.#word.writeBigUInt64LE(1n);
    this.#call.write(fd, this.#word, 8);
  }

  /** Makes an eventfd unreadable. */
  clear(fd: number): void {
    this.#call.read(fd, this.#word, 8);
  }

  /** Reads from a pipe. @returns the number of bytes, 0 at the end, or a negative errno */
  read(fd: number, into: Buffer): number {
    return this.#result(this.#call.read(fd, into, into.length));
  }

  /** @returns the number of bytes, 0 at the end, or a negative errno */
  receive(fd: number, into: Buffer): number {
    return this.#result(this.#call.recv(fd, into, into.length, flag.MSG_DONTWAIT));
  }

  /** @param more more bytes follow at once: they may go into the same segment. @returns the number, or a negative errno */
  send(fd: number, bytes: Buffer, more: boolean): number {
    const flags = flag.MSG_DONTWAIT | flag.MSG_NOSIGNAL | (more ? flag.MSG_MORE : 0);
    return this.#result(this.#call.send(fd, bytes, bytes.length, flags));
  }

  /**
   * Takes a connection that waits at a listening socket, which must not block.
   * @returns its file descriptor and the client's end, or a negative errno
   */
  accept(fd: number): { fd: number; peer: SocketEnd | undefined } | number {
    this.#addressLength.writeUInt32LE(this.#address.length);
    const flags = flag.SOCK_CLOEXEC | flag.SOCK_NONBLOCK;
    const accepted = this.#call.accept(fd, this.#address, this.#addressLength, flags);
    return accepted < 0 ? -this.#errno() : { fd: accepted, peer: this.#end() };
  }

  /** This end of a connection. @returns undefined when it cannot be told */
  localEnd(fd: number): SocketEnd | undefined {
    this.#addressLength.writeUInt32LE(this.#address.length);
    return this.#call.getsockname(fd, this.#address, this.#addressLength) < 0 ? undefined : this.#end();
  }

  /** What the last call has written as an address. */
  #end(): SocketEnd | undefined {
    const family = this.#address.readUInt16LE(0);
    const port = this.#address.readUInt16BE(2);
    if (family === flag.AF_INET) return { bytes: Buffer.from(this.#address.subarray(4, 8)), port };
    if (family === flag.AF_INET6) return { bytes: Buffer.from(this.#address.subarray(8, 24)), port };
    return undefined;
  }

  /**
   * Options of a listening socket, which the connections that it accepts inherit: keepalive, and no delay of small segments.
   * @throws KernelError
   */
  prepareListener(fd: number, keepAliveMs: number): void {
    this.#option(fd, flag.IPPROTO_TCP, flag.TCP_NODELAY, 1);
    this.#option(fd, flag.SOL_SOCKET, flag.SO_KEEPALIVE, 1);
    this.#option(fd, flag.IPPROTO_TCP, flag.TCP_KEEPIDLE, Math.ceil(keepAliveMs / 1_000));
  }

  #option(fd: number, level: number, name: number, value: number): void {
    this.#word.writeInt32LE(value);
    this.#check('setsockopt', this.#call.setsockopt(fd, level, name, this.#word, 4));
  }

  /** Has `close` send a reset, and drop what was not sent. Does nothing to a socket that is broken already. */
  resetOnClose(fd: number): void {
    // `struct linger`: on, for 0 seconds.
    this.#word.writeInt32LE(1);
    this.#word.writeInt32LE(0, 4);
    this.#call.setsockopt(fd, flag.SOL_SOCKET, flag.SO_LINGER, this.#word, 8);
  }

  /** Ends the direction to the other side. Does nothing to a socket that is broken already. */
  endWrites(fd: number): void {
    this.#call.shutdown(fd, flag.SHUT_WR);
  }

  /** Moves bytes between a pipe and a socket. @returns their number, 0 at the end, or a negative errno */
  splice(from: number, to: number, bytes: number): number {
    const flags = flag.SPLICE_F_MOVE | flag.SPLICE_F_NONBLOCK;
    return this.#result(this.#call.splice(from, null, to, null, bytes, flags));
  }

  /** CPU time of this thread, in milliseconds. @throws KernelError */
  threadCpuMs(): number {
    this.#check('clock_gettime', this.#call.clockGettime(flag.CLOCK_THREAD_CPUTIME_ID, this.#timespec));
    return Number(this.#timespec.readBigInt64LE(0)) * 1_000 + Number(this.#timespec.readBigInt64LE(8)) / 1e6;
  }

  /** @throws KernelError */
  epollCreate(): number {
    return this.#check('epoll_create1', this.#call.epollCreate(flag.EPOLL_CLOEXEC));
  }

  /** @param data 32 bits that `epollWait` gives back. @throws KernelError */
  epollAdd(poll: number, fd: number, events: number, data: number): void {
    this.#event.writeUInt32LE(events >>> 0, 0);
    this.#event.writeUInt32LE(data, this.#layout.data);
    this.#event.writeUInt32LE(0, this.#layout.data + 4);
    this.#check('epoll_ctl', this.#call.epollCtl(poll, flag.EPOLL_CTL_ADD, fd, this.#event));
  }

  /** @throws KernelError */
  epollRemove(poll: number, fd: number): void {
    this.#check('epoll_ctl', this.#call.epollCtl(poll, flag.EPOLL_CTL_DEL, fd, this.#event));
  }

  /**
   * Blocks the thread until something is ready.
   * @param timeoutMs -1 for no limit
   * @param each receives the `data` and events of each descriptor
   * @throws KernelError
   */
  epollWait(poll: number, timeoutMs: number, each: (data: number, events: number) => void): void {
    const count = this.#result(this.#call.epollWait(poll, this.#events, maxEvents, timeoutMs));
    if (count === -errno.EINTR) return;
    if (count < 0) throw new KernelError('epoll_wait', -count);
    const { size, data } = this.#layout;
    for (let at = 0; at < count * size; at += size) {
      each(this.#events.readUInt32LE(at + data), this.#events.readUInt32LE(at));
    }
  }

  #result(value: number): number {
    return value < 0 ? -this.#errno() : value;
  }

  #check(syscall: string, value: number): number {
    if (value < 0) throw new KernelError(syscall, this.#errno());
    return value;
  }
}

/** @returns undefined where the system calls are not available: not Linux, another architecture, or without koffi */
export function loadLibc(): Libc | undefined {
  const { platform, arch } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) return undefined;
  try {
    return new Libc(createRequire(import.meta.url)('koffi') as Koffi, arch);
  } catch {
    return undefined;
  }
}
