/** Bytes that may wait for a reader of standard output, or of standard error; further writes are dropped. */
const maxUnreadBytes = 1_048_576;
/** How long what still waits for a reader may keep a process that is done. */
const unreadGraceMs = 1_000;

let dropped = 0;

/**
 * Keeps the process going when nobody reads its standard streams any more, as after `| head -1` or when a log reader was restarted:
 * what cannot be written (EPIPE, EIO, ENOSPC) is dropped and counted.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void dropped++);
}

/**
 * Bounds what waits for a reader that is there and does not read, as a process that runs for months needs it: past 1 MiB, writes
 * are dropped and counted. Output that somebody pages through must not be bounded so.
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

/** Ends a process that is done although nobody reads what it still has to write, a moment later. */
export function endDespiteUnreadOutput(): void {
  setTimeout(() => process.exit(), unreadGraceMs).unref();
}

/** Writes to standard streams that were dropped. */
export function droppedWrites(): number {
  return dropped;
}
