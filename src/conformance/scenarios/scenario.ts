import type { Stage } from '../stage.js';
import type { Requirement } from '../verdict.js';

/** A requirement of SDKs, and the play that shows whether it is met. */
export interface Scenario extends Requirement {
  /** @throws NotMet */
  play(stage: Stage): Promise<void>;
}
