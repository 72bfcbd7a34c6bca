/** Most bytes queued for a reader of standard output, or of standard error; further writes are dropped. */
const maxUnreadBytes = 1_048_576;
/** How long queued output may delay the exit of the process. */
const unreadGraceMs = 1_000;

let dropped = 0;

/**
 * Keeps the process running when its standard streams have no reader any more, as after `| head -1` or a restart of the
 * log reader: what cannot be written (EPIPE, EIO, ENOSPC) is dropped and counted.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void dropped++);
}

/**
 * Bounds the queue for a reader that stops reading, for processes that run for months: above 1 MiB, writes are dropped
 * and counted. Do not use it for output that a person pages through.
 */
export function dropUnreadOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = (...args: unknown[]): boolean => {
      if (stream.writableLength <= maxUnreadBytes) return write(...args);
      dropped++;
      const done = args.at(-1);
      if (typeof done === 'function') process.nextTick(done);
      return false;
    };
  }
}

/** Exits a process that is done shortly afterwards, even if its output has no reader. */
export function endDespiteUnreadOutput(): void {
  setTimeout(() => process.exit(), unreadGraceMs).unref();
}

/** Number of dropped writes to standard streams. */
export function droppedWrites(): number {
  return dropped;
}
