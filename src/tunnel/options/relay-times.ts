import { quicTimes } from '../carriers/auto-datagram-carrier.js';

/** When relays are looked at and replaced, and the ways to them are, in milliseconds. */
export const relayTimes = {
  /** A relay that stops serving is waited for this long, in case it only starts again, before a spare is taken. */
  lossPatienceMs: 2_000,
  /** The same for one that was just taken and has not served yet. */
  joinPatienceMs: 4_000,
  /** A spare goes once all those that it could stand in for have served for this long. */
  releaseSpareAfterMs: 30_000,
  /** A relay that was found and not named is given up when it has been away for this long. */
  forgetLostAfterMs: 600_000,
  /** How often relays are looked at again, where there is a choice; give or take `scoutJitterShare`. */
  scoutIntervalMs: 60_000,
  /** The same after something has changed, doubling to the above. */
  scoutSpacingMs: 5_000,
  /** While there is a spare, relays in use are asked so often whether they are alive; the second miss counts. */
  healthCheckIntervalMs: 3_000,
  healthCheckTimeoutMs: 2_000,
  ...quicTimes,
};
export type RelayTimes = typeof relayTimes;
