/** Limits and defaults of the relay, each with its unit. */

/** The protocol this relay speaks, as `GET /sdk/domain` reports it. */
export const protocolVersion = '5';
/** The only signing key there is, in both signing modes. */
export const signingKeyId = 'relay-cert';

export const defaultApiPort = 4017;
export const defaultPublicPort = 443;

// Leases
export const defaultLeaseTtlSeconds = 30;
export const maxLeaseTtlSeconds = 3_600;
/** How long an expired name stays reserved for the identity that had it. */
export const nameReservationMs = 300_000;
export const leaseSweepIntervalMs = 1_000;
/** How often open file descriptors are held against their limit. */
export const descriptorCheckIntervalMs = 2_000;
/** How long live connections may go on once their lease was unregistered or replaced. */
export const lingerAfterLeaseMs = 30_000;
/** How long live connections may finish once the relay is told to stop. */
export const defaultDrainTimeoutSeconds = 30;

// Public ports of leases
/** How long a port that was freed stays reserved for the identity that had it. */
export const portReservationMs = 300_000;
/** How soon a port that another program had is tried again for a new lease. */
export const occupiedPortRetryMs = 60_000;
/** How often what is bound is held against the settings, and a lease's port that could not be bound is tried again. */
export const portCheckIntervalMs = 1_000;

// Datagrams
/** A flow whose peer was silent for so long ends. */
export const datagramFlowIdleMs = 30_000;
export const datagramSweepIntervalMs = 2_000;
/** Peers of one lease at once, those of one source address among them, and of all leases. */
export const maxFlowsPerLease = 4_096;
export const maxFlowsPerSource = 1_024;
export const maxFlows = 100_000;
/** Of a public UDP port, for what comes while the relay is busy; the system may give less (net.core.rmem_max). */
export const publicReceiveBufferBytes = 524_288;
/** Bytes that wait in the system's queue of a public UDP port; past it answers are dropped. */
export const maxPublicSendQueueBytes = 1_048_576;
/** A carrier without a word for so long is dead: its tunnel answers each ping of `keepaliveIntervalMs`. */
export const datagramCarrierSilenceMs = 45_000;
/** QUIC connections in all, those whose handshake is under way among them. Each lease has one at most. */
export const maxQuicConnections = 8_192;
/** Of these, those that have not shown a good token yet, by source address and in all. */
export const maxQuicHellosPerSource = 32;
export const maxQuicHellos = 1_024;
/** From the end of a handshake to a good token. */
export const quicHelloTimeoutMs = 5_000;
/** How long one that was refused may take to read why. */
export const quicRefusalLingerMs = 1_000;

// Sign-in
export const challengeTtlMs = 120_000;
/** Open challenges held at once; past it, the oldest of the source that holds most makes room. */
export const maxOpenChallenges = 20_000;
export const maxOpenChallengeBytes = 33_554_432;
export const maxTokenBytes = 4_096;
/** Access tokens whose signature need not be verified again; a few hundred bytes each. */
export const maxRememberedTokens = 10_000;

// HTTP
export const maxJsonBodyBytes = 65_536;
/** A transcript of 64 KiB is 88 KiB in base64; the rest is the other fields. */
export const maxSignBodyBytes = 98_304;
export const maxTranscriptBytes = 65_536;
export const maxRequestHeadBytes = 16_384;
export const requestHeadTimeoutMs = 10_000;
export const requestTimeoutMs = 30_000;
/** How long a peer may take to read a response; what it has not taken is held in memory. */
export const responseTimeoutMs = 20_000;
/** A connection without requests is kept for so long: tunnels ask for signatures now and then, and each new one is a handshake. */
export const keepAliveTimeoutMs = 60_000;
/** How often requests under way are held against the two deadlines above. */
export const requestCheckIntervalMs = 2_000;
/** How long, and how much, a peer that was refused may still send before its connection is destroyed. */
export const lingerAfterRefusalMs = 2_000;
export const maxBytesAfterRefusal = 1_048_576;
export const tlsHandshakeTimeoutMs = 10_000;

/** How long a browser may go by the answer to a preflight. */
export const preflightMaxAgeSeconds = 600;

// Reverse sessions and claims
export const readyQueueLimit = 8;
/** Sessions that come back from a connection may be more: they are there already. */
export const recycledReadyLimit = 64;
export const keepaliveIntervalMs = 15_000;
export const claimTimeoutMs = 10_000;
/** From the answer to a tunnel's first word without TLS. */
export const unwrapTimeoutMs = 10_000;
/** Public connections of one lease that may wait for a reverse session at once. */
export const maxWaitingClaims = 512;

// Public ingress
/** A connection idle for so long is probed by TCP: a peer that vanished without a word would hold it for ever. */
export const tcpKeepAliveMs = 60_000;
export const maxClientHelloBytes = 16_384;
export const clientHelloTimeoutMs = 10_000;
/** A balancer says whom it passes on before anything else. */
export const proxyHeaderTimeoutMs = 5_000;
/** Bytes that one direction of a connection may hold back for a side that does not take them. */
export const maxUnwrittenBytes = 131_072;
/** Bytes in one direction after which it is read into reused buffers: for less they are not worth their making. */
export const bulkAfterBytes = 262_144;
/** Nor are they for a connection that says much, but little at a time. */
export const bulkChunkBytes = 8_192;

// Bandwidth of a lease
/** What a connection may move before the others have their turn, and the least that a pause saves up. */
export const bandwidthQuantumBytes = 65_536;
/** Time whose bytes a pause saves up: with less, a fast lease falls short of its limit. */
export const bandwidthBurstMs = 25;
/** Time beyond it that waiting connections are made good for when the process is late. */
export const bandwidthLatenessMs = 250;
/** Between two looks at who may go on, at least. */
export const bandwidthTickMs = 4;

// Keyless signing
export const bindingBytes = 16;
export const bindingTtlMs = 30_000;
/** How long a replaced certificate still signs. */
export const oldCertificateGraceMs = 600_000;
export const certificateReloadIntervalMs = 10_000;
export const digestSkewSeconds = 30;
export const maxDigestNonces = 100_000;

// Landing page
/** Services that the page lists; of the others it tells the number. */
export const landingPageServices = 200;
/** By source address. */
export const landingPageBurst = 60;
export const landingPagesPerSecond = 5;

// Metrics
/** Hostnames that have bytes of their own among the metrics: those that moved the most of late. */
export const metricsHostnames = 20;
export const maxMetricsConnections = 16;

// By source address (an IPv6 /64 is one), as the defaults of settings
export const defaultMaxConnectionsPerSource = 1_024;
export const defaultMaxConnectionsPerLease = 2_048;
export const defaultMaxLeasesPerSource = 256;
/** By Ethereum address. */
export const defaultMaxLeasesPerWallet = 64;
/** Names that software looks up by itself, or that visitors would take for the relay's own. */
export const defaultReservedNames = [
  '_acme-challenge',
  'account',
  'admin',
  'api',
  'app',
  'auth',
  'autoconfig',
  'autodiscover',
  'isatap',
  'localhost',
  'login',
  'mail',
  'mta-sts',
  'ns1',
  'ns2',
  'portal',
  'relay',
  'root',
  'status',
  'wpad',
  'www',
];

// In all
export const maxLeases = 50_000;
export const maxPublicConnections = 50_000;
export const maxApiConnections = 100_000;
/** However low the limit by source is set: a tunnel needs a few to register, sign and open sessions. */
export const minApiConnectionsPerSource = 16;
/** Public connections whose ClientHello is still awaited, by source address and in all. */
export const maxHelloWaitsPerSource = 256;
export const maxHelloWaits = 8_192;

// Calls by one source address
export const tokenFailureBurst = 100;
export const tokenFailuresPerSecond = 5;
export const renewalBurst = 20;
/** By lease. */
export const renewalsPerSecond = 1;
/** Tunnels fetch the chain anew at each renewal, and an address may have 256 leases. */
export const domainBurst = 600;
export const domainCallsPerSecond = 60;
export const challengeBurst = 120;
export const challengesPerSecond = 2;
/** Source addresses remembered by a rate limit. */
export const maxRateLimitKeys = 50_000;

// Governing
export const adminSessionTtlMs = 86_400_000;
/** The oldest of a wallet ends when it opens one more. */
export const maxAdminSessionsPerWallet = 64;
/** Session cookies of one request that are looked at: more do not fit into `maxRequestHeadBytes`. */
export const maxSessionCookies = 300;
export const adminChallengeBurst = 60;
export const adminChallengesPerSecond = 1;
/** Logins that came to nothing, by source address. */
export const loginFailureBurst = 20;
export const loginFailuresPerSecond = 0.2;
/** Identities with a decision or a limit, and banned addresses. */
export const maxDecisions = 100_000;
export const maxBannedIps = 100_000;
/** How many leases may have a port, as the contract bounds it. */
export const maxPortLeases = 65_535;
export const maxAuditFileBytes = 16 * 1024 * 1024;
/** The audit log and its predecessors. */
export const auditFiles = 8;
/** Entries moved into the audit log at once. */
export const auditBatch = 256;
/** Longer than any line of the audit log. */
export const auditTailBytes = 65_536;
/** Refused attempts that are written, of all sources together: 2 MB a day at most. */
export const refusedAuditBurst = 100;
export const refusedAuditsPerSecond = 0.1;

// Discovery
export const descriptorLifetimeMs = 300_000;
/** The relay's own descriptor is signed anew when it is asked for and this share of its life is over: 15 seconds. */
export const descriptorReissueShare = 0.05;
export const trafficSampleMs = 5_000;
/** Samples that throughput is taken over: half a minute. */
export const trafficSamples = 7;
/** How often a known relay is visited, give or take `pollJitterShare`. */
export const pollIntervalMs = 60_000;
export const pollJitterShare = 0.25;
/** Between one visit and the next, whoever is due. */
export const visitSpacingMs = 500;
/** Visits under way at once by turn, and beside them those that announcements bring about. */
export const maxVisits = 4;
export const maxAnnouncedVisits = 4;
/** Of those by turn, to relays that never answered or did not the last time. */
export const maxDoubtfulVisits = 2;
/** From lookup to the last byte. */
export const visitTimeoutMs = 10_000;
/** First and longest wait for a relay that does not answer. */
export const visitBackoff = { firstMs: 5_000, longestMs: 300_000 };
/** How often this relay tells its bootstraps of itself. */
export const announceIntervalMs = 110_000;
/** Relays that have shown who they are; bootstraps are beside them. */
export const maxPeers = 256;
/** Of these, behind one address of the internet. */
export const maxPeersPerSource = 8;
/** URLs heard of that were not visited yet or did not answer, in all and from the relays at one address. */
export const maxCandidates = 256;
export const maxCandidatesPerTeller = 32;
/** Descriptors whose signature does not fit, after which the rest of a listing is not looked at. */
export const maxForgedDescriptors = 8;
/** Entries of a listing that are read in one go, before others get their turn. */
export const listedBetweenTurns = 32;
/** A relay that was silent for so long is forgotten. */
export const forgetPeerAfterMs = 3_600_000;
/** Addresses whose newest descriptor is remembered against replay. */
export const maxRememberedIssues = 4_096;
/** Visits to URLs that never answered, by the address that they lead to: a relay is no tool for knocking on others' doors. */
export const strangerVisitBurst = 10;
export const strangerVisitsPerSecond = 0.2;
/** By source address. */
export const announceBurst = 10;
export const announcesPerSecond = 5 / 60;
/** By all together: verifying takes milliseconds. */
export const announceTotalBurst = 50;
export const announcesTotalPerSecond = 5;
/** A URL that did not prove an announcement is not looked at again for so long. */
export const announceRetryMs = 60_000;
export const maxFailedAnnouncements = 1_024;
/** By source address. */
export const listingBurst = 60;
export const listingsPerSecond = 2;
