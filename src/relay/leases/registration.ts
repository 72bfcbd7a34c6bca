import { randomUUID } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import { challengeTtlMs, signInMessage, verifySignIn } from '../../sign-in/siwe.js';
import { defaultLeaseTtlSeconds, defaultSessionWaitSeconds } from './lease.js';
import { sourceOf } from '../../net/source-network.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { LeasePorts, RequestedPorts } from '../ports/lease-ports.js';
import type { Metadata, Store } from '../store/store.js';
import { type LeaseIdentity } from '../../contract/lease-identity.js';
import { type Holding, isDomain, knownMetadata, parseIdentity } from './lease.js';
import type { OverlayRoutes } from '../overlay/overlay.js';
import { type Hop, type HopRequest, requestedHop } from './hop.js';
import type { DomainProofs } from './domain-proofs.js';
import { type LeaseRegistry, storeFault } from './lease-registry.js';

/** Challenges of one source: at once as many as it may have leases, which all come back after a restart, and all of them again in a minute. */
const leastChallengeBurst = 120;
const challengeRefillSeconds = 60;

export interface RegistrationRequest {
  identity: { name: string; address: string };
  metadata?: Metadata | undefined;
  ttl?: number;
  udp_enabled?: boolean;
  tcp_enabled?: boolean;
  udp_port?: number;
  udp_count?: number;
  tcp_port?: number;
  group?: string;
  own_certificate?: boolean;
  session_wait?: number;
  hop?: HopRequest;
}

export interface Challenge {
  id: string;
  message: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

interface Asked {
  identity: LeaseIdentity;
  metadata: Metadata;
  ttlSeconds: number;
  ports: RequestedPorts;
  group?: string | undefined;
  ownCertificate: boolean;
  sessionWaitSeconds: number;
  hop?: Hop | undefined;
}

export interface RegistrationParts {
  portalUrl: URL;
  leases: LeaseRegistry;
  ports: LeasePorts;
  store: Store;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Absent when identities cannot have domains of their own. */
  domains: DomainProofs | undefined;
  /** Whether names under the root host may have certificates of their own. */
  ownCertificates: boolean;
  /** Absent when the relay has no overlay. */
  overlay: OverlayRoutes | undefined;
  /** The relay's own signing address, in lower case. */
  relay: string;
  /** As in the configuration. */
  maxLeasesPerSource: number;
}

/** Verifies an identity and grants its lease: challenge, signature, registration (EIP-4361). */
export class RegistrationService {
  readonly #perSource: RateLimit;

  constructor(private readonly parts: RegistrationParts) {
    const burst = Math.max(leastChallengeBurst, parts.maxLeasesPerSource);
    this.#perSource = new RateLimit(burst, burst / challengeRefillSeconds);
  }

  /**
   * @throws ApiError `invalid_request`, `invalid_address`, `lease_rejected`, `hostname_conflict`, `rate_limited`; for ports also
   * `feature_unavailable`, `tcp_port_disabled`, `udp_disabled`; for a path of relays also `transport_mismatch`
   */
  async challenge(request: RegistrationRequest, clientIp: string): Promise<Challenge> {
    const source = sourceOf(clientIp);
    this.#perSource.take(source);
    const identity = parseIdentity(request.identity);
    const ports = requestedPorts(request);
    if (request.group !== undefined && ports.udp)
      throw new ApiError('invalid_request', 'a group shares no UDP port: leave out group or udp_enabled');
    const hop = this.#hop(request, ports, identity);
    this.parts.ports.assertOffered(ports);
    const ownCertificate = this.#ownCertificate(identity, request.own_certificate);
    this.parts.leases.assertFree(identity);
    const now = this.parts.clock();
    const id = randomUUID();
    const expiresAt = now + challengeTtlMs;
    const asked: Asked = {
      identity,
      metadata: knownMetadata(request.metadata ?? {}),
      ttlSeconds: request.ttl ?? defaultLeaseTtlSeconds,
      ports,
      group: request.group,
      ownCertificate,
      sessionWaitSeconds: request.session_wait ?? defaultSessionWaitSeconds,
      hop,
    };
    const message = signInMessage(this.parts.portalUrl, '/sdk/register', {
      address: identity.address,
      requestId: id,
      issuedAt: now,
      expiresAt,
    });
    const challenge = { id, message, expiresAt, request: JSON.stringify(asked), source };
    await this.parts.store.putChallenge(challenge, now).catch(storeFault);
    return { id, message, expiresAt };
  }

  /**
   * Spends a challenge, whatever the result, and creates the lease that was requested with it.
   * @throws ApiError `unauthorized` for a spent, unknown or expired challenge, a different message than the one
   * issued, or a signature of another account; `invalid_request` when the group has other ports; `domain_not_proven`, `hostname_conflict`, `rate_limited`; for ports also `tcp_port_*`,
   * `udp_*`
   */
  async complete(
    answer: { challenge_id: string; siwe_message: string; siwe_signature: string; reported_ip?: string },
    clientIp: string,
  ): Promise<Holding> {
    const challenge = await this.parts.store.takeChallenge(answer.challenge_id, this.parts.clock()).catch(storeFault);
    if (!challenge) throw new ApiError('unauthorized', 'the challenge is unknown, spent or expired');
    if (challenge.message !== answer.siwe_message)
      throw new ApiError('unauthorized', 'the message is not the one issued');
    const asked = JSON.parse(challenge.request) as Asked;
    verifySignIn(challenge.message, answer.siwe_signature, asked.identity.address);
    const { name, address } = asked.identity;
    const proven = isDomain(name) ? await this.parts.domains?.prove(name, address, sourceOf(clientIp)) : undefined;
    return await this.parts.leases.register({ ...asked, proven, clientIp, reportedIp: answer.reported_ip });
  }

  /** @throws ApiError as `requestedHop`; `transport_mismatch` with ports; `invalid_request` for what a path does not have */
  #hop(request: RegistrationRequest, { tcp, udp }: RequestedPorts, { name }: LeaseIdentity): Hop | undefined {
    if (request.hop === undefined) return undefined;
    if (tcp || udp)
      throw new ApiError('transport_mismatch', 'a path of relays has no ports: leave out hop or the ports');
    if (request.group !== undefined)
      throw new ApiError('invalid_request', 'a path of relays has no group: leave out hop or group');
    if (request.hop.accept !== undefined && (isDomain(name) || request.own_certificate))
      throw new ApiError('invalid_request', 'only the entry of a path has a domain or a certificate of its own');
    return requestedHop(request.hop, this.parts.overlay, this.parts.relay);
  }

  /** @throws ApiError `feature_unavailable` */
  #ownCertificate({ name }: LeaseIdentity, isWanted = false): boolean {
    if (isDomain(name)) {
      if (this.parts.domains !== undefined) return true;
      throw new ApiError('feature_unavailable', 'this relay takes no domains: register one label, without dots');
    }
    if (isWanted && !this.parts.ownCertificates)
      throw new ApiError('feature_unavailable', 'names of this relay have its own certificate');
    return isWanted;
  }
}

/** @throws ApiError `invalid_request` for the number or count of ports that are not asked for */
function requestedPorts(request: RegistrationRequest): RequestedPorts {
  const { tcp_enabled, udp_enabled, tcp_port, udp_port, udp_count = 1 } = request;
  const port = (protocol: string, isEnabled = false, number?: number, count = 1) => {
    if (!isEnabled && (number !== undefined || count > 1))
      throw new ApiError(
        'invalid_request',
        `${protocol}_${number === undefined ? 'count' : 'port'} needs ${protocol}_enabled: true`,
      );
    return isEnabled && { number, count };
  };
  return { tcp: port('tcp', tcp_enabled, tcp_port), udp: port('udp', udp_enabled, udp_port, udp_count) };
}
