/** Limits and defaults of the SDK, each with its unit. */

/** Deadline of one call, from first byte out to last byte in. */
export const callTimeoutMs = 10_000;
/** Largest answer taken. A certificate chain of 64 KiB, JSON-escaped, is the largest thing in the contract. */
export const maxAnswerBytes = 262_144;

/** Largest answer taken by the operator's client: the snapshot of a relay with tens of thousands of leases. */
export const maxSnapshotBytes = 67_108_864;
/** How long an admin's session lives when its cookie does not say. */
export const adminSessionMs = 86_400_000;

/** Name used when the relay was given without one is derived; a name given is one DNS label (RFC 1035 2.3.4). */
export const maxNameLength = 63;

/** A sign-in message that is valid for longer than this is not signed. The relay gives two minutes; the rest is clock skew. */
export const maxSignInLifetimeMs = 600_000;

/** A lease is renewed when this share of its life is over, less up to `renewJitterShare`. */
export const renewShare = 0.5;
export const renewJitterShare = 0.1;
/** However long the lease: a replaced certificate signs for ten minutes, and its successor is fetched at each renewal. */
export const maxRenewIntervalMs = 240_000;
export const minRenewIntervalMs = 200;
/** A relay that grants less or more is taken at these. */
export const minLeaseMs = 1_000;
export const maxLeaseMs = 86_400_000;

/** First and longest wait when the relay cannot be reached. Short at most: service should be back seconds after the relay. */
export const networkBackoff = { firstMs: 250, longestMs: 5_000 };
/** The same when the relay grants tokens and then refuses them. */
export const refusalBackoff = { firstMs: 1_000, longestMs: 60_000 };
/** Longest wait after an answer that asks for patience without naming a time. */
export const answerBackoffLongestMs = 60_000;
/** Longest `Retry-After` obeyed: past it the tunnel asks again. */
export const maxRetryAfterMs = 600_000;

/** Deadline for the goodbye of a lease. */
export const unregisterTimeoutMs = 3_000;

/** Largest identity file read. */
export const maxIdentityFileBytes = 4_096;
/** Largest admin session file read. */
export const maxAdminSessionFileBytes = 16_384;

/** How often a sleeping wait looks at the wall clock, which goes on while the machine is suspended. */
export const wallClockCheckMs = 1_000;

// Discovery
/** Version of the discovery protocol; other ones are not understood. */
export const discoveryVersion = '5';
/** A descriptor that would live longer is not believed: it would outlive its relay. Relays give five minutes. */
export const maxDescriptorLifetimeMs = 900_000;
/** How far ahead a descriptor may be issued, for clocks that differ. */
export const descriptorSkewMs = 120_000;
export const maxApiUrlLength = 512;
/** Relays in one answer, as the contract has it. */
export const maxListedRelays = 1_024;
export const maxDiscoveryAnswerBytes = 1_048_576;
/** Relays looked at in one search, and at once. */
export const maxFoundRelays = 64;
export const maxFindVisits = 8;
/** Deadline for each relay that is looked at. */
export const findTimeoutMs = 5_000;
/** Calls that latency is taken from. */
export const latencySamples = 3;
/** Differences below this are noise when relays are chosen. */
export const minCountedLatencyMs = 2;
/** A relay that reports so many connections, or so many bytes a second, counts as twice as far away. */
export const busyConnections = 1_000;
export const busyBps = 50_000_000;
/** However busy a relay says it is, it counts as no more times as far away. */
export const maxLoadPenalty = 4;
