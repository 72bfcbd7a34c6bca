/** What holds for requirements of SDKs and of relays. */
export interface Requirement {
  /** Stable, for reports and for `--only`. */
  id: string;
  /** 1: what it takes to serve visitors. 2: what it takes among faults and hostile peers. */
  level: 1 | 2;
  /** What an SDK or a relay does, in a sentence. */
  requirement: string;
  /** Where it comes from: a section of the documents, or of the contract. */
  source: string;
}

export interface Verdict extends Requirement {
  passed: boolean;
  seconds: number;
  /** Why it is not met. */
  reason?: string;
  /** The last lines of the driver's standard error. */
  log?: string;
}

export function secondsSince(started: number): number {
  return Math.round((performance.now() - started) / 10) / 100;
}
