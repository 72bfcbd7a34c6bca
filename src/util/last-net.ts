/** Exit code of a process after an internal fault: EX_SOFTWARE of sysexits.h. */
export const faultExitCode = 70;
/** Extra time after the drain timeout before the process exits regardless. */
const stopGraceMs = 2_000;
/** Faults that are logged one by one; a repeating fault must not fill the disk. */
const maxLogged = 10;

export interface LastNetOptions {
  /** Called for the fault that ends the process, and for those during shutdown. */
  log(error: Error, origin: NodeJS.UncaughtExceptionOrigin): void;
  /** Accepts no new work, and settles once current work is done. The signal aborts at the timeout. */
  drain(signal: AbortSignal): Promise<void>;
  drainMs: number;
}

/**
 * Handles uncaught exceptions and unhandled rejections, below the boundaries of handlers. The error is logged with its
 * cause. The process drains for a bounded time, and exits with `faultExitCode`, so that a supervisor restarts it: its
 * state is unknown.
 * @returns removes the handlers
 */
export function installLastNet({ log, drain, drainMs }: LastNetOptions): () => void {
  let faults = 0;
  const caught = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    faults++;
    if (faults <= maxLogged) {
      try {
        log(thrown instanceof Error ? thrown : new Error(String(thrown)), origin);
      } catch {
        // An error of the log must not prevent the drain.
      }
    }
    if (faults > 1) return;
    const end = () => process.exit(faultExitCode);
    const enough = new AbortController();
    setTimeout(() => enough.abort(), drainMs);
    setTimeout(end, drainMs + stopGraceMs);
    // `drain` may also throw, synchronously or later.
    void Promise.resolve(enough.signal).then(drain).then(end, end);
  };
  process.on('uncaughtException', caught);
  return () => void process.off('uncaughtException', caught);
}
