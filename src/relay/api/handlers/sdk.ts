import type { Request } from 'express';
import { ApiError, type RequestBody, type SuccessData, success } from '../../../contract/index.js';
import type { LeaseAuth } from '../../leases/lease-auth.js';
import type { AccessTokens, LeaseClaims } from '../../auth/tokens.js';
import type { CertificateSource } from '../../certs/certificate-source.js';
import { sourceOf } from '../../../net/source-network.js';
import { type Holding, defaultLeaseTtlSeconds } from '../../leases/lease.js';
import { signingKeyId } from '../../certs/certificate.js';
import { refuseWhenDraining } from '../../reverse/draining.js';
import type { LeaseRegistry } from '../../leases/lease-registry.js';
import type { Policy } from '../../policy/policy.js';
import type { PortBlock } from '../../../net/port-block.js';
import type { RegistrationService } from '../../leases/registration.js';
import { RateLimit } from '../../../http-api/rate-limit.js';
import type { Handlers } from '../app.js';
import { portalHeaders } from '../../../protocol/headers.js';
import { withoutUndefined } from '../../../util/without-undefined.js';

/** The protocol this relay speaks, as `GET /sdk/domain` reports it. */
const protocolVersion = '5';
/** Tunnels fetch the chain again at each renewal, and an address may have 256 leases. */
const domainBurst = 600;
const domainCallsPerSecond = 60;

export interface SdkParts {
  rootHost: string;
  publicPort(): number;
  releaseVersion: string;
  digestSigning: boolean;
  certificates: CertificateSource;
  registration: RegistrationService;
  /** What is on offer besides carriers. */
  features(): string[];
  leases: LeaseRegistry;
  tokens: AccessTokens;
  auth: LeaseAuth;
  policy: Policy;
  /** Whether leases can currently get UDP ports. */
  udpOffered(): boolean;
  /** Whether QUIC carriers are currently available. */
  quicOffered(): boolean;
  draining: AbortSignal;
}

/** The client address that `createApp` has set; undefined when the client is gone. */
export const clientIp = (request: Request) => request.ip ?? '';
export const credentials = (request: Request, body?: string) => ({
  header: request.get(portalHeaders.accessToken),
  body,
  clientIp: clientIp(request),
});
/** The public host of a lease's own port: the relay's host, whatever the lease's name. */
export const publicAddress = (rootHost: string, port: number | undefined) =>
  port === undefined ? undefined : `${rootHost}:${port}`;
export const udpPorts = (rootHost: string, block: PortBlock | undefined) => ({
  udp_addr: publicAddress(rootHost, block?.first),
  udp_count: block && block.count > 1 ? block.count : undefined,
});
export const rfc3339 = (ms: number) => new Date(ms).toISOString();

/** What a token says: of a group, the expiry is that of the tunnel itself. */
function claimsOf({ lease, member }: Holding): LeaseClaims {
  const { identity, generation } = lease;
  const { expiresAt } = (member !== undefined && lease.group?.members.get(member)) || lease;
  return { identity, generation, member, expiresAt };
}

function datagramCarriers({ udpOffered, quicOffered }: SdkParts): string[] {
  if (!udpOffered()) return [];
  return quicOffered() ? ['datagram-websocket', 'quic'] : ['datagram-websocket'];
}

/** `/sdk/*`: the life of a lease. */
export function sdkHandlers(parts: SdkParts): Handlers {
  const domainCalls = new RateLimit(domainBurst, domainCallsPerSecond);
  const { registration, leases, tokens, auth, policy } = parts;
  return {
    getDomain(request, response) {
      policy.assertIpAllowed(clientIp(request));
      domainCalls.take(sourceOf(clientIp(request)));
      const data: SuccessData<'getDomain'> = {
        protocol_version: protocolVersion,
        release_version: parts.releaseVersion,
        root_host: parts.rootHost,
        keyless: {
          modes: parts.digestSigning ? ['transcript', 'digest'] : ['transcript'],
          key_id: signingKeyId,
          certificate_chain: parts.certificates.current.chainPem,
        },
        transports: ['raw', 'websocket', ...datagramCarriers(parts)],
        features: parts.features(),
      };
      response.json(success(data));
    },

    async createRegisterChallenge(request, response) {
      policy.assertIpAllowed(clientIp(request));
      refuseWhenDraining(parts.draining);
      const body = request.body as RequestBody<'createRegisterChallenge'>;
      const { id, message, expiresAt } = await registration.challenge(body, clientIp(request));
      const data: SuccessData<'createRegisterChallenge'> = {
        challenge_id: id,
        expires_at: rfc3339(expiresAt),
        siwe_message: message,
      };
      response.status(201).json(success(data));
    },

    async registerLease(request, response) {
      policy.assertIpAllowed(clientIp(request));
      refuseWhenDraining(parts.draining);
      const holding = await registration.complete(request.body as RequestBody<'registerLease'>, clientIp(request));
      const { lease } = holding;
      const claims = claimsOf(holding);
      const data: SuccessData<'registerLease'> = withoutUndefined({
        identity: lease.identity,
        hostname: lease.hostname,
        expires_at: rfc3339(claims.expiresAt),
        access_token: await tokens.issue(claims),
        sni_port: parts.publicPort(),
        tcp_enabled: lease.tcpPort === undefined ? undefined : true,
        tcp_addr: publicAddress(parts.rootHost, lease.tcpPort),
        udp_enabled: lease.udpPorts === undefined ? undefined : true,
        ...udpPorts(parts.rootHost, lease.udpPorts),
      });
      response.status(201).json(success(data));
    },

    async renewLease(request, response) {
      const body = (request.body ?? {}) as RequestBody<'renewLease'>;
      const holding = await auth.holding(credentials(request, body.access_token));
      await leases.renew(holding, {
        ttlSeconds: body.ttl ?? defaultLeaseTtlSeconds,
        metadata: body.metadata,
        clientIp: clientIp(request),
        reportedIp: body.reported_ip,
      });
      const claims = claimsOf(holding);
      const data: SuccessData<'renewLease'> = {
        expires_at: rfc3339(claims.expiresAt),
        access_token: await tokens.issue(claims),
      };
      response.json(success(data));
    },

    async unregisterLease(request, response) {
      const body = (request.body ?? {}) as RequestBody<'unregisterLease'>;
      await leases.unregister(await auth.holding(credentials(request, body.access_token)));
      response.json(success({}));
    },

    openReverseSession(request) {
      policy.assertIpAllowed(clientIp(request));
      throw new ApiError(
        'hijack_unsupported',
        'without an upgrade, /sdk/connect must be the first request of its connection',
      );
    },
  };
}
