/** How often a sleep checks the wall clock, which advances during suspension. */
const wallClockCheckMs = 1_000;

/**
 * Sleeps by whichever clock is first: the monotonic clock, which is unaffected by setting the time, or the wall
 * clock, which advances during suspension. Returns early, without throwing, when the signal is aborted.
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
