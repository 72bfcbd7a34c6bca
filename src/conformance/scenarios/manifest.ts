import { faults } from './faults.js';
import type { Scenario } from './scenario.js';
import { serving } from './serving.js';

/** Every requirement of the kit, in the order in which they are played. */
export const manifest: readonly Scenario[] = [...serving, ...faults];
