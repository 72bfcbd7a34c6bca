/** Thrown internally when a deadline passes; callers see the error made by `expired`. */
class DeadlinePassed extends Error {}

/**
 * Runs a function with a deadline and the caller's signal, and leaves no timer or listener behind. (`AbortSignal.any`
 * keeps listeners on its sources for their lifetime.) Settles at the deadline even if `run` ignores its signal.
 * @param expired creates the error for a missed deadline
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
