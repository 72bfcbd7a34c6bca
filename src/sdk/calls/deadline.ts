/** Thrown inside when a deadline passes; callers see what `expired` makes of it. */
class DeadlinePassed extends Error {}

/**
 * Runs something under a deadline and a caller's signal, and leaves neither timer nor listener behind. (`AbortSignal.any`
 * keeps its sources' listeners for as long as they live.) Settles when the time is up even if `run` pays no heed.
 * @param expired makes the error for a deadline that passed
 * @throws the signal's reason when the caller aborts
 */
export async function withDeadline<Result>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  expired: () => Error,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  let giveUp!: (reason: unknown) => void;
  const aborted = new Promise<never>((_, reject) => (giveUp = reject));
  aborted.catch(() => undefined);
  const abort = (reason: unknown) => {
    controller.abort(reason);
    giveUp(reason);
  };
  const onAbort = () => abort(signal?.reason);
  const timer = setTimeout(() => abort(new DeadlinePassed()), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([run(controller.signal), aborted]);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (controller.signal.reason instanceof DeadlinePassed) throw expired();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
