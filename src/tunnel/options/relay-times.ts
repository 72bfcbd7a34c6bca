import { quicTimes } from '../carriers/auto-datagram-carrier.js';

/** Intervals, in milliseconds, of checking and replacing relays and the routes to them. */
export const relayTimes = {
  /** Time before a spare replaces a relay that stops serving: it may only be restarting. */
  lossPatienceMs: 2_000,
  /** The same for a relay that was just taken and has never served. */
  joinPatienceMs: 4_000,
  /** A spare is released once every relay that it could replace has served for this long. */
  releaseSpareAfterMs: 30_000,
  /** A discovered relay is given up after it has not served for this long. */
  forgetLostAfterMs: 600_000,
  /** Interval of relay searches where there is a choice, plus or minus `scoutJitterShare`. */
  scoutIntervalMs: 60_000,
  /** First interval after a change; it doubles up to the above. */
  scoutSpacingMs: 5_000,
  /** Interval of health checks of relays in use while there is a spare; the second miss counts. */
  healthCheckIntervalMs: 3_000,
  healthCheckTimeoutMs: 2_000,
  ...quicTimes,
};
export type RelayTimes = typeof relayTimes;
