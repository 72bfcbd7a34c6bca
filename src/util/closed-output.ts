let dropped = 0;

/**
 * Keeps the process going when nobody reads its standard streams any more, as after `| head -1` or when a log reader was restarted:
 * what cannot be written (EPIPE, EIO, ENOSPC) is dropped and counted.
 */
export function surviveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void dropped++);
}

/** Writes to standard streams that were dropped. */
export function droppedWrites(): number {
  return dropped;
}
