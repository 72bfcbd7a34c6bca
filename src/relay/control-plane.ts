import { loadContract } from '../contract/index.js';
import { background } from '../util/boundary.js';
import { addressList } from '../net/address-list.js';
import { portOf } from '../net/listen.js';
import { createApp, type Handlers } from './api/app.js';
import { adminHandlers } from './api/handlers/admin.js';
import { consoleHandlers } from './api/handlers/admin-console.js';
import { documentationHandlers } from './api/handlers/documentation.js';
import { referenceHandlers } from './api/handlers/reference.js';
import { credentials, sdkHandlers } from './api/handlers/sdk.js';
import { systemHandlers } from './api/handlers/system.js';
import { ApiListener, minApiConnectionsPerSource } from './api/listener/api-listener.js';
import { ConnectEndpoint } from './api/listener/connect.js';
import { adminGuard } from './api/middleware/admin-guard.js';
import { ClientAddresses } from './api/middleware/client-address.js';
import { AdminAuth } from './auth/admin-auth.js';
import { AdminSessions } from './auth/admin-sessions.js';
import { AccessTokens } from './auth/tokens.js';
import type { DataPlane } from './data-plane.js';
import { DomainProofs } from './leases/domain-proofs.js';
import { DomainRechecks } from './leases/domain-rechecks.js';
import type { Foundation } from './foundation.js';
import { DigestSigner } from './keyless/digest-signer.js';
import { SessionSigner } from './keyless/session-signer.js';
import { TranscriptSigner } from './keyless/transcript-signer.js';
import { defaultLeaseTtlSeconds } from './leases/lease.js';
import { LeaseAuth } from './leases/lease-auth.js';
import { LeaseRegistry } from './leases/lease-registry.js';
import { RegistrationService } from './leases/registration.js';
import { countedSigner } from './metrics/counted-signer.js';
import { PeerConnections } from './ingress/peer-connections.js';
import type { OperatorPlane } from './operator-plane.js';
import { applyPolicyEffects } from './policy-effects.js';
import { ReverseAdmission } from './reverse/admission.js';

/** The control plane: leases, tokens, signatures, the operator's decisions, and the API in front of them. */
export class ControlPlane {
  readonly leases: LeaseRegistry;
  readonly admission: ReverseAdmission;
  readonly api: ApiListener;
  readonly sessionSigner: SessionSigner;
  readonly #adminSessions: AdminSessions;
  /** Absent when there are no domains. */
  readonly #rechecks: DomainRechecks | undefined;
  readonly #foundation: Foundation;
  readonly #data: DataPlane;

  constructor(
    foundation: Foundation,
    data: DataPlane,
    { handlers: otherHandlers, discovery, overlay }: Pick<OperatorPlane, 'handlers' | 'discovery' | 'overlay'>,
    wrapHandlers: Wrap<Handlers>,
  ) {
    const { config, logger, policy, store, audit, certificates, activity, rootHost, releaseVersion } = foundation;
    const draining = foundation.draining.signal;
    const { sessions, ports, bindings, datagrams, quic } = data;
    this.#foundation = foundation;
    this.#data = data;
    const leases = new LeaseRegistry({
      rootHost,
      apiHosts: config.apiHosts,
      maxTtlSeconds: config.maxLeaseTtlSeconds,
      reservedNames: new Set([...config.reservedNames, ...namesUnder(rootHost, config.apiHosts)]),
      table: foundation.leases,
      shared: foundation.cluster?.shared,
      policy,
      store,
      ports,
      onMemberEnded: (lease, member, ending) => sessions.endMember(lease, member, ending),
      onEnded: (lease, ending) => {
        logger.info({ hostname: lease.hostname, ending }, 'lease ended');
        sessions.end(lease, ending);
      },
      onFault: foundation.onStoreFault,
    });
    this.leases = leases;
    const domains = config.domains ? new DomainProofs(config.dnsServers) : undefined;
    if (domains) {
      this.#rechecks = new DomainRechecks({
        proofs: domains,
        intervalMs: config.domainRecheckIntervalMs,
        live: () => leases.live(),
        onGone: (lease) => leases.disprove(lease),
      });
    }
    const tokens = new AccessTokens(foundation.key, config.portalUrl.origin, foundation.clock);
    const auth = new LeaseAuth(tokens, leases, policy);
    this.admission = new ReverseAdmission(auth, sessions, policy, config.digestSigning, draining);
    const adminWallets = new Set(config.adminWallets);
    this.#adminSessions = new AdminSessions(adminWallets, store.governance);
    const challenges = foundation.cluster && {
      key: foundation.key.challengeKey,
      store: foundation.cluster.shared,
    };
    const adminAuth = new AdminAuth(config.portalUrl, adminWallets, this.#adminSessions, audit, challenges);
    const digests = config.digestSigning
      ? countedSigner(new DigestSigner(certificates), 'digest', activity)
      : undefined;
    const transcripts = countedSigner(new TranscriptSigner(certificates, bindings), 'transcript', activity);
    this.sessionSigner = new SessionSigner(transcripts, leases, policy, logger);
    const addresses = new ClientAddresses(addressList(config.trustedProxies));
    const handlers: Handlers = {
      ...sdkHandlers({
        rootHost,
        publicPort: () => data.publicPort,
        releaseVersion,
        digestSigning: config.digestSigning,
        certificates,
        registration: new RegistrationService({
          portalUrl: config.portalUrl,
          leases,
          ports,
          store,
          clock: foundation.clock,
          domains,
          ownCertificates: config.ownCertificates,
          overlay,
          relay: foundation.key.address.toLowerCase(),
          maxLeasesPerSource: config.maxLeasesPerSource,
        }),
        features: () => [
          ...(domains ? ['domains'] : []),
          ...(config.ownCertificates ? ['own_certificates'] : []),
          ...(overlay?.isUp ? ['hops'] : []),
        ],
        leases,
        tokens,
        auth,
        policy,
        udpOffered: () => ports.udp.isOffered,
        quicOffered: () => quic.isOffered,
        draining,
      }),
      ...adminHandlers({ rootHost, adminAuth, audit, leases, sessions, policy }),
      ...consoleHandlers({
        rootHost,
        releaseVersion,
        adminAuth,
        audit,
        leases,
        sessions,
        policy,
        activity,
        certificates,
        discovery: discovery && (() => discovery.report()),
        overlay,
      }),
      ...systemHandlers({
        auth,
        leases,
        sessions,
        policy,
        bindings,
        transcripts,
        digests,
        draining,
        isStoreUp: () => foundation.cluster?.shared.isUp ?? true,
      }),
      ...referenceHandlers(loadContract()),
      ...documentationHandlers(),
      ...otherHandlers,
    };
    const app = createApp({
      addresses,
      authenticate: async (request) => void (await auth.lease(credentials(request))),
      adminGuard: adminGuard(adminAuth, audit, config.portalUrl.origin),
      handlers: wrapHandlers(handlers),
      logger,
      onAnswer: activity.answer,
      validateResponses: config.validateResponses,
    });
    this.api = new ApiListener(
      app,
      certificates.current,
      new ConnectEndpoint(
        this.admission,
        { datagrams, peers: new PeerConnections(overlay, logger, draining) },
        addresses,
        logger,
        activity.answer,
      ),
      addresses,
      Math.max(config.maxConnectionsPerSource, minApiConnectionsPerSource),
    );
  }

  get apiPort(): number {
    return portOf(this.api.server);
  }

  /** Restores decisions and leases. @throws Error when the store or the audit log cannot be used */
  async restore(): Promise<void> {
    const { lifecycle, audit, policy } = this.#foundation;
    await lifecycle.start(
      () => audit.start(),
      () => audit.stop(),
    );
    await policy.start();
    await this.#adminSessions.start();
    await lifecycle.start(
      () => this.leases.start(defaultLeaseTtlSeconds),
      (_, handsOver) => this.leases.stop(!handsOver),
    );
    await lifecycle.start(
      async () => this.#rechecks?.start(),
      () => this.#rechecks?.stop(),
    );
    this.#follow();
    applyPolicyEffects(policy, { leases: this.leases, sessions: this.#data.sessions, ports: this.#data.ports });
  }

  /** Takes over what other nodes change, from now on. */
  #follow(): void {
    const { cluster, policy, audit } = this.#foundation;
    cluster?.shared.follow(
      (change) => {
        if (change.kind === 'lease') background('store change', () => this.leases.apply(change.lease));
        else if (change.kind === 'policy') policy.apply(change.change, change.revision);
        else this.#adminSessions.apply(change.session, change.isOpen);
        if (change.kind !== 'lease') background('store change', () => audit.flush());
      },
      async () => {
        await policy.reload();
        await this.#adminSessions.reload();
        await this.leases.reload();
        await audit.flush();
      },
    );
  }

  /** Lets the other nodes know of this one, which takes their visitors already. @throws StoreUnavailableError */
  async join(): Promise<void> {
    const { cluster } = this.#foundation;
    if (cluster) await cluster.shared.join(`${bracketed(cluster.address.host)}:${cluster.address.port}`);
  }

  /** Listens, and polls the certificate's files. @throws the system's error when the port cannot be bound */
  async start(): Promise<void> {
    const { lifecycle, config, certificates, rootHost, logger, sockets } = this.#foundation;
    // Reverse sessions that were opened through it outlive a release.
    lifecycle.onStop(() => this.api.stop(), { lasts: true });
    lifecycle.onStop((handsOver) => handsOver && this.api.release());
    await this.api.start(sockets, { host: config.host, port: config.apiPort });
    certificates.onChange(() => {
      this.api.setCertificate(certificates.current);
      this.#data.quic.renew();
    });
    if (config.certificateFiles)
      certificates.watch(config.certificateFiles, rootHost, config.certificateReloadIntervalMs, logger);
  }
}

export type Wrap<Part> = (part: Part) => Part;

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

/** The first labels of the hosts that are direct subdomains of another host. */
function namesUnder(rootHost: string, hosts: string[]): string[] {
  const suffix = `.${rootHost}`;
  return hosts.filter((host) => host.endsWith(suffix)).map((host) => host.slice(0, -suffix.length));
}
