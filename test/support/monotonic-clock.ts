import type { TestContext } from 'node:test';

/**
 * The monotonic clock (`performance.now`), which a test can let jump ahead.
 * @param isFrozen it stands still unless it is advanced
 * @returns lets this many milliseconds pass
 */
export function monotonicClock(t: TestContext, isFrozen = false): (ms: number) => void {
  const real = performance.now.bind(performance);
  const began = real();
  let passed = 0;
  t.mock.method(performance, 'now', () => (isFrozen ? began : real()) + passed);
  return (ms) => void (passed += ms);
}
