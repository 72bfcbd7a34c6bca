/** What a process ends with after a fault of its own: EX_SOFTWARE of sysexits.h. */
export const faultExitCode = 70;
/** Beyond the time that a drain is given, until the process is ended whatever it still does. */
const stopGraceMs = 2_000;
/** Faults logged one by one; one that throws for ever must not fill a disk. */
const maxLogged = 10;

export interface LastNetOptions {
  /** Called for the fault that ends the process, and for those that come while it ends. */
  log(error: Error, origin: NodeJS.UncaughtExceptionOrigin): void;
  /** Takes no new work, and settles once what is under way is done. The signal aborts when time is up. */
  drain(signal: AbortSignal): Promise<void>;
  drainMs: number;
}

/**
 * The last net of a process, below the boundaries of its handlers: an error that nothing caught, or a rejection that nothing
 * handles, is logged with its cause. The process drains, for a bounded time, and ends with `faultExitCode`, so that a supervisor
 * starts it again: its state is unknown.
 * @returns takes the net away
 */
export function installLastNet({ log, drain, drainMs }: LastNetOptions): () => void {
  let faults = 0;
  const caught = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    faults++;
    if (faults <= maxLogged) {
      try {
        log(thrown instanceof Error ? thrown : new Error(String(thrown)), origin);
      } catch {
        // A log that fails is not worth the drain.
      }
    }
    if (faults > 1) return;
    const end = () => process.exit(faultExitCode);
    const enough = new AbortController();
    setTimeout(() => enough.abort(), drainMs);
    setTimeout(end, drainMs + stopGraceMs);
    // `drain` may throw as well, at once or later.
    void Promise.resolve(enough.signal).then(drain).then(end, end);
  };
  process.on('uncaughtException', caught);
  return () => void process.off('uncaughtException', caught);
}
