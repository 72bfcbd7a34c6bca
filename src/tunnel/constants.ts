/** Limits and defaults of the tunnel, each with its unit. */

// Reverse sessions
/** Sessions that wait for visitors, at least and at most. The most is the relay's ready queue for a lease. */
export const minReadySessions = 2;
export const maxReadySessions = 8;
/** Sessions being opened at once while visitors are seen to wait for them. */
export const maxParallelDials = 32;
/** From the first byte out to the end of the answer. */
export const dialTimeoutMs = 10_000;
/** After a session of which TLS could not be taken off, while one with it got through. */
export const staysWrappedMs = 600_000;
/** A session that is claimed this soon after it was opened had a visitor waiting for it. */
export const promptClaimMs = 100;
/** The relay writes a byte about every 15 s; a session that was silent for three times as long is dead. */
export const sessionSilenceMs = 45_000;
export const silenceCheckIntervalMs = 5_000;
/** Without a visitor for so long, the pool halves, and again after each interval. */
export const poolIdleMs = 60_000;
export const poolShrinkIntervalMs = 30_000;
/** Failures further apart than this do not add up. */
export const failureMemoryMs = 30_000;
export const bindingBytes = 16;

// Keyless signing
export const signTimeoutMs = 8_000;
/** The relay is not asked for its chain more often than this, whatever handshakes fail. */
export const chainRefreshSpacingMs = 1_000;
export const maxChainCertificates = 10;

// Connections
/** Visitors served at once; past it no sessions are opened, and the relay lets visitors wait. Each takes two sockets. */
export const maxLiveConnections = 1_000;
/** For the visitor's TLS handshake, the signature included. */
export const handshakeTimeoutMs = 15_000;
/** Bytes of a service's answer after which it is read into reused buffers, where they come in chunks of at least so many. */
export const bulkAfterBytes = 262_144;
export const bulkChunkBytes = 8_192;
export const targetConnectTimeoutMs = 10_000;
/** That there is no file descriptor left is told no more often than this. */
export const outOfFilesNoticeMs = 60_000;
export const tcpKeepAliveMs = 30_000;
/** Where the service has said its last, how long a silent visitor may keep its own direction open. */
export const lingerAfterTargetEndMs = 120_000;
/** Where the service is gone and its answer is out, how long a visitor who still speaks is listened to. */
export const lingerAfterAnswerMs = 10_000;
/** Where the service broke off, how long what it had said may take to reach the visitor. */
export const flushAfterTargetFailureMs = 10_000;
/** How long a visitor may take to fetch the page that says the service is down. */
export const unavailablePageTimeoutMs = 15_000;

// Datagrams
/** Peers of one carrier: as many as a relay allows a lease. Each takes a socket; past it, the one silent for longest goes. */
export const maxUdpFlows = 4_096;
/** Somewhat longer than the relay's 30 s, so that a peer that comes back in time is the same to the service. */
export const udpFlowIdleMs = 35_000;
export const udpSweepIntervalMs = 2_000;
/** Drops are told of no more often than this. */
export const udpDropNoticeMs = 60_000;
/** Datagrams of one flow that wait for its socket. */
export const maxUdpWaiting = 64;
/** Bytes in the system's queue of one flow; past it datagrams are dropped. */
export const maxUdpQueueBytes = 262_144;
/** For one address of a relay over QUIC, and for all until the carrier is open. */
export const quicAttemptMs = 2_000;
export const quicDialTimeoutMs = 6_000;

// Self-probe
/** Between the beginnings of two probes of the tunnel's own public name, at least. */
export const probeIntervalMs = 30_000;
/** Longest part of it that a probe waits by chance, so that it does not always follow a visitor at once. */
export const maxProbeDelayMs = 5_000;
/** For the probe's TLS handshake: the relay's wait for a session, and the signature. */
export const visitTimeoutMs = 15_000;
export const visitCloseTimeoutMs = 2_000;
/** Sessions that began during one probe's handshake and are kept to be compared with it. */
export const maxWitnessedSessions = 4_096;
/** How long the relay may take to renew the lease before a mismatch counts for nothing. */
export const probeConfirmTimeoutMs = 30_000;

// Several relays
/** How many relays a tunnel uses where discovery finds more than were named. */
export const defaultMaxRelays = 3;
export const maxMaxRelays = 16;
/** Relays that can be named for one tunnel. */
export const maxNamedRelays = 64;
/** Relays that a tunnel holds on to, serving or not, beyond twice as many as are to serve. */
export const maxMembersBeyondTwice = 2;
/** When relays are looked at and replaced, and ways to them are, in milliseconds. */
export const relayTimes = {
  /** A relay that stops serving is waited for so long, in case it only starts anew, before a spare is taken. */
  lossPatienceMs: 2_000,
  /** The same for one that was just taken and has not served yet. */
  joinPatienceMs: 4_000,
  /** A spare goes once all those that it could stand in for have served for so long. */
  releaseSpareAfterMs: 30_000,
  /** A relay that was found and not named is given up when it has been away for so long. */
  forgetLostAfterMs: 600_000,
  /** How often relays are looked at again, where there is a choice; give or take `scoutJitterShare`. */
  scoutIntervalMs: 60_000,
  /** The same after something has changed, doubling to the above. */
  scoutSpacingMs: 5_000,
  /** While there is a spare, relays in use are asked so often whether they are alive; the second miss counts. */
  pulseIntervalMs: 3_000,
  pulseTimeoutMs: 2_000,
  /** How often to look whether datagrams can go over QUIC: the relay offers it, and it does not rest. */
  quicLookMs: 2_000,
  /**
   * After a failure QUIC rests for so long; with more of them in a row up to `quicRestLongestMs` more. So long as that it rests when the
   * service's datagrams are too large for it, or too many.
   */
  quicRestMs: 10_000,
  quicRestLongestMs: 600_000,
  /** A QUIC carrier that held for so long wipes out earlier failures. */
  quicProvenMs: 60_000,
};
export type RelayTimes = typeof relayTimes;
/** Looks in a row at each of which QUIC had dropped datagrams since the one before: then the WebSocket takes them. */
export const maxLooksWithDrops = 3;
export const scoutJitterShare = 0.25;

// HTTP
/** Of a request or an answer. */
export const maxHttpHeadBytes = 65_536;
/** From one answer's end, or the connection's begin, to the end of the next request's head. */
export const httpIdleTimeoutMs = 75_000;

// Shutdown
export const closeGraceMs = 10_000;
