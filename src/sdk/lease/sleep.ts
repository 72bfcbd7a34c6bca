/** How often a sleeping wait looks at the wall clock, which continues while the machine is suspended. */
const wallClockCheckMs = 1_000;

/**
 * Waits by whichever clock gets there first: the monotonic one, which the system's time being set does not disturb, or the
 * wall clock, which continues while the machine is suspended. Returns early, without throwing, once the signal is aborted.
 */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const started = performance.now();
  const wallStarted = Date.now();
  while (signal?.aborted !== true) {
    const elapsed = Math.max(performance.now() - started, Date.now() - wallStarted);
    if (elapsed >= ms) return;
    await pause(Math.min(ms - elapsed, wallClockCheckMs), signal);
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
