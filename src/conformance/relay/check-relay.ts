import { NotMet } from '../not-met.js';
import { secondsSince, type Verdict } from '../verdict.js';
import type { RelayCheck } from './checks.js';
import { RelayUnderTest } from './relay-under-test.js';

/** A check that hangs is a failure, with this reason. */
const checkTimeoutMs = 60_000;

export interface CheckRelayOptions {
  url: URL;
  /** PEM. */
  ca?: Buffer | undefined;
  checks: readonly RelayCheck[];
  onVerdict?: ((verdict: Verdict) => void) | undefined;
}

/** Holds a relay against the contract, one requirement after the other, each with names of its own that are given back. */
export async function checkRelay({ url, ca, checks, onVerdict }: CheckRelayOptions): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { id, level, requirement, source, check } of checks) {
    const started = performance.now();
    const relay = new RelayUnderTest(url, ca);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const reason = `the check takes longer than ${checkTimeoutMs / 1000} s`;
      timer = setTimeout(() => reject(new NotMet(reason)), checkTimeoutMs);
    });
    const reason = await Promise.race([check(relay), late]).then(
      () => undefined,
      (error: Error) => error.message,
    );
    clearTimeout(timer);
    await relay.leave();
    const verdict = { id, level, requirement, source, seconds: secondsSince(started), passed: reason === undefined };
    verdicts.push(reason === undefined ? verdict : { ...verdict, reason });
    onVerdict?.(verdicts.at(-1)!);
  }
  return verdicts;
}
