import type { AddressInfo, Server } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiListener } from './api/listener/api-listener.js';
import { addressList } from '../net/address-list.js';
import { adminGuard } from './api/middleware/admin-guard.js';
import { adminHandlers } from './api/handlers/admin.js';
import { createApp, type Handlers } from './api/app.js';
import { ClientAddresses } from './api/middleware/client-address.js';
import { ConnectEndpoint } from './api/listener/connect.js';
import { discoveryHandlers } from './api/handlers/discovery.js';
import { landingHandlers } from './api/handlers/landing.js';
import { referenceHandlers } from './api/handlers/reference.js';
import { thumbnailHandlers } from './api/handlers/thumbnail.js';
import { credentials, sdkHandlers } from './api/handlers/sdk.js';
import { systemHandlers } from './api/handlers/system.js';
import { loadContract } from '../contract/index.js';
import { AuditLog } from './audit/audit-log.js';
import { AdminAuth } from './auth/admin-auth.js';
import { AdminSessions } from './auth/admin-sessions.js';
import { LeaseAuth } from './leases/lease-auth.js';
import { relayKeyFromHex } from './auth/relay-key.js';
import { loadPrivateKeyFile } from '../sdk/identity/identity-file.js';
import { AccessTokens } from './auth/tokens.js';
import { keyPin } from './certs/certificate.js';
import { CertificateSource, loadCertificate } from './certs/certificate-source.js';
import { developmentCaFile, developmentCertificate } from './certs/development-ca.js';
import type { RelayConfig } from './config/config.js';
import { defaultLeaseTtlSeconds } from './leases/lease.js';
import { Datagrams } from './datagrams/datagrams.js';
import { QuicListener } from './datagrams/quic-listener.js';
import { VisitorForwarder } from './ingress/visitor-forwarder.js';
import { PublicConnections } from './ingress/public-connections.js';
import { type QuicPackage, loadQuic } from '../streams/quic/quic-package.js';
import { TcpPort } from './ingress/tcp-port.js';
import { DescriptorWatch } from './metrics/descriptor-watch.js';
import { Discovery, type DiscoveryReport } from './discovery/discovery.js';
import { PublicListener } from './ingress/public-listener.js';
import { Bindings } from './keyless/bindings.js';
import { DigestSigner } from './keyless/digest-signer.js';
import { TranscriptSigner } from './keyless/transcript-signer.js';
import { LandingPage, exposeCommand } from './landing/landing-page.js';
import { LeaseRegistry } from './leases/lease-registry.js';
import { identityKey } from '../contract/lease-identity.js';
import { type Lease } from './leases/lease.js';
import { RegistrationService } from './leases/registration.js';
import type { Logger } from '../util/logger.js';
import { countedSigner } from './metrics/counted-signer.js';
import { MetricsListener } from './metrics/metrics-listener.js';
import { RelayMetrics } from './metrics/metrics.js';
import { timedStore } from './metrics/timed-store.js';
import { LeasePorts } from './ports/lease-ports.js';
import { type BoundPort, PortAllocator } from './ports/port-allocator.js';
import { applyPolicyEffects } from './policy-effects.js';
import { Policy } from './policy/policy.js';
import { ReverseAdmission } from './reverse/admission.js';
import { SessionRegistry } from './reverse/session-registry.js';
import { dialOwn } from './thumbnails/dial-own.js';
import { Thumbnails } from './thumbnails/thumbnails.js';
import { makePrivateDir } from './store/state-dir.js';
import { SqliteStore } from './store/sqlite.js';
import type { Store } from './store/store.js';
import { lockStateDir } from './store/state-lock.js';
import { onFault } from '../util/boundary.js';
import { Lifecycle } from '../util/lifecycle.js';

/** However low the limit by source is set: a tunnel needs a few to register, sign and open sessions. */
export const minApiConnectionsPerSource = 16;

/** A relay that is running. */
export interface Relay {
  apiPort: number;
  publicPort: number;
  /** On 127.0.0.1, where metrics are on. */
  metricsPort?: number;
  /** The relay's Ethereum address. */
  address: string;
  /** PEM file of the development CA, where one is in use. */
  developmentCaFile?: string;
  /** What is counted of UDP. */
  datagrams: Pick<Datagrams, 'totals' | 'flows' | 'countersOf'>;
  /** Where discovery is on: what it knows and what it has refused. */
  discovery?: () => DiscoveryReport;
  /**
   * Takes no new work: visitors, registrations and reverse sessions are refused, sessions that wait are closed, so that
   * tunnels move on. Settles when no connection is left, or at the signal.
   */
  drain(signal: AbortSignal): Promise<void>;
  /** Stops listening, ends every connection, and closes the store. */
  stop(): Promise<void>;
}

/** Takes the place of parts: another store, or one that fails, as tests need it. */
export interface RelayParts {
  wrapStore?(store: Store): Store;
  wrapHandlers?(handlers: Handlers): Handlers;
  loadQuic?(): Promise<QuicPackage>;
}

/**
 * Starts a relay: store, certificate, the API listener and the public one.
 * @throws Error in one line when the state registry, the certificate or a port is not to be had
 */
export async function startRelay(config: RelayConfig, logger: Logger, parts: RelayParts = {}): Promise<Relay> {
  const lifecycle = new Lifecycle((error) => logger.error({ err: error }, 'a part of the relay could not be stopped'));
  try {
    return await start(config, logger, parts, lifecycle);
  } catch (error) {
    // What could not be stopped is in the log; what kept it from starting counts.
    await lifecycle.stop().catch(() => undefined);
    throw error;
  }
}

async function start(config: RelayConfig, logger: Logger, parts: RelayParts, lifecycle: Lifecycle): Promise<Relay> {
  const { wrapStore = same, wrapHandlers = same } = parts;
  const rootHost = config.portalUrl.hostname;
  makePrivateDir(config.stateDir);
  lifecycle.onStop(lockStateDir(config.stateDir));
  const privateKey = await loadPrivateKeyFile(join(config.stateDir, 'identity.json'));
  const key = relayKeyFromHex(privateKey);
  const certificates = new CertificateSource(
    config.certificateFiles
      ? await loadCertificate(config.certificateFiles, rootHost)
      : await developmentCertificate(config.stateDir, rootHost),
  );
  const metrics = config.metricsPort === undefined ? undefined : new RelayMetrics();
  lifecycle.onStop(
    onFault((fault) => {
      metrics?.fault(fault);
      logger.error({ boundary: fault.boundary, err: fault.error }, 'a handler failed');
    }),
  );
  const database = wrapStore(new SqliteStore(join(config.stateDir, 'portal.db')));
  const store = metrics ? timedStore(database, metrics.storeCall) : database;
  lifecycle.onStop(() => store.close());
  const onStoreFault = (error: unknown) => logger.error({ err: error }, 'the store failed');
  const audit = new AuditLog(join(config.stateDir, 'audit.jsonl'), store.governance, (error) =>
    logger.error({ err: error }, 'the audit log failed, its entries wait in the store'),
  );
  lifecycle.onStop(() => audit.stop());
  const policy = new Policy(config.policy, store.governance, audit);

  const registry = new SessionRegistry((lease) => policy.bps(identityKey(lease.identity)));
  policy.on('bps', () => registry.applyLimits());
  const bindings = new Bindings();
  /** Aborted once the relay takes no new work. */
  const drain = new AbortController();
  const datagrams = new Datagrams(logger, drain.signal);
  const allocator = (protocol: 'tcp' | 'udp', bind: (port: number, hostname: string) => Promise<BoundPort>) =>
    new PortAllocator({
      protocol,
      range: config.portRange,
      settings: () => (protocol === 'tcp' ? policy.settings.tcpPort : policy.settings.udp),
      bind,
      store,
      onBlocked: (port, hostname, error) =>
        logger.warn({ protocol, port, hostname, err: error }, 'the port of a lease cannot be bound, trying on'),
      onFault: onStoreFault,
    });
  const ports: LeasePorts = new LeasePorts(
    allocator('tcp', (port, hostname) =>
      TcpPort.bind({ host: config.host, port, lease: () => leaseAt(hostname) }, connections, forwarder),
    ),
    allocator('udp', (port, hostname) => datagrams.bind(config.host, port, hostname)),
  );
  policy.on('settings', () => ports.reconcile());
  const leases = new LeaseRegistry(
    rootHost,
    {
      maxTtlSeconds: config.maxLeaseTtlSeconds,
      perSource: config.maxLeasesPerSource,
      perWallet: config.maxLeasesPerWallet,
      reservedNames: new Set([...config.reservedNames, ...namesUnder(rootHost, config.apiHosts)]),
    },
    policy,
    store,
    ports,
    (lease, ending) => {
      logger.info({ hostname: lease.hostname, ending }, 'lease ended');
      registry.end(lease, ending);
    },
    onStoreFault,
  );

  const tokens = new AccessTokens(key, config.portalUrl.origin);
  const auth = new LeaseAuth(tokens, leases, policy);
  const adminWallets = new Set(config.adminWallets);
  const adminSessions = new AdminSessions(adminWallets, store.governance);
  const adminAuth = new AdminAuth(config.portalUrl, adminWallets, adminSessions, audit);
  const registration = new RegistrationService(config.portalUrl, leases, ports, store);
  const admission = new ReverseAdmission(auth, registry, policy, config.digestSigning, drain.signal);
  const quic = new QuicListener({
    host: config.host,
    load: parts.loadQuic ?? loadQuic,
    certificate: () => certificates.current,
    admit: (accessToken, clientIp) => admission.admitToken(accessToken, clientIp),
    datagrams,
    logger,
  });
  const digests = config.digestSigning ? countedSigner(new DigestSigner(certificates), 'digest', metrics) : undefined;
  const transcripts = countedSigner(new TranscriptSigner(certificates, bindings), 'transcript', metrics);

  const isBalancer = addressList(config.proxyProtocolFrom);
  const connections = new PublicConnections({
    maxConnectionsPerSource: config.maxConnectionsPerSource,
    isBalancer,
    onOutcome: metrics?.connection,
  });
  const forwarderOptions = {
    unboundSessions: config.digestSigning,
    maxConnectionsPerLease: config.maxConnectionsPerLease,
    onOutcome: metrics?.connection,
  };
  const forwarder = new VisitorForwarder(forwarderOptions, registry, bindings, logger);
  /** The lease that visitors of a hostname are routed to. */
  const leaseAt = (hostname: string): Lease | undefined => {
    const lease = drain.signal.aborted ? undefined : leases.at(hostname);
    return lease && policy.mayServe(identityKey(lease.identity)) ? lease : undefined;
  };
  const publicListener = new PublicListener(
    {
      apiHosts: new Set([rootHost, ...config.apiHosts]),
      leaseAt,
      toApi: (socket, { passedOn }, { alpn }, onReverseSession) =>
        apiListener.accept(socket, { passedOnFor: passedOn?.source.address, alpn, onReverseSession }),
      onOutcome: metrics?.connection,
    },
    connections,
    forwarder,
  );
  const discovery = config.discovery
    ? new Discovery({
        ...config.discovery,
        portalUrl: config.portalUrl,
        identity: { address: key.address, privateKey },
        load: () => registry.load(),
        ports: () => ({ udp: ports.udp.isOffered, tcp: ports.tcp.isOffered }),
        logger,
      })
    : undefined;
  const thumbnails = config.chromium
    ? new Thumbnails({
        chromium: config.chromium,
        leaseAt,
        publicPort: () => portOf(publicListener.server),
        dialPublic: () => dialOwn(publicListener.server, isBalancer),
        trustedKey: () => (config.certificateFiles ? undefined : keyPin(certificates.current)),
        logger,
      })
    : undefined;
  const addresses = new ClientAddresses(addressList(config.trustedProxies));
  const caFile = config.certificateFiles ? undefined : developmentCaFile(config.stateDir);
  const landing = new LandingPage({
    rootHost,
    releaseVersion: releaseVersion(),
    exposeCommand: exposeCommand(config.portalUrl.origin, caFile),
    urlOf: (hostname) => new URL(`https://${hostname}:${portOf(publicListener.server)}`).href,
    enabled: () => policy.settings.landingPageEnabled,
    leases: () => leases.live(),
    mayServe: ({ identity }) => policy.mayServe(identityKey(identity)),
    isAlive: (lease) => registry.isAlive(lease),
  });
  const app = createApp({
    addresses,
    authenticate: async (request) => void (await auth.lease(credentials(request))),
    adminGuard: adminGuard(adminAuth, audit, config.portalUrl.origin),
    handlers: wrapHandlers({
      ...sdkHandlers({
        rootHost,
        publicPort: () => portOf(publicListener.server),
        releaseVersion: releaseVersion(),
        digestSigning: config.digestSigning,
        certificates,
        registration,
        leases,
        tokens,
        auth,
        policy,
        udpOffered: () => ports.udp.isOffered,
        quicOffered: () => quic.isOffered,
        draining: drain.signal,
      }),
      ...landingHandlers(landing),
      ...adminHandlers({ rootHost, adminAuth, audit, leases, registry, policy }),
      ...systemHandlers({ auth, leases, registry, policy, transcripts, digests, draining: drain.signal }),
      ...discoveryHandlers(discovery),
      ...thumbnailHandlers(thumbnails),
      ...referenceHandlers(loadContract()),
    }),
    logger,
    onAnswer: metrics?.answer,
    validateResponses: config.validateResponses,
  });
  const connect = new ConnectEndpoint(admission, datagrams, addresses, logger, metrics?.answer);
  const apiListener = new ApiListener(
    app,
    certificates.current,
    connect,
    addresses,
    Math.max(config.maxConnectionsPerSource, minApiConnectionsPerSource),
  );

  metrics?.watch({
    releaseVersion: releaseVersion(),
    sessionRegistry: registry,
    leases: () => leases.size,
    unwrittenLeases: () => leases.unwritten,
    publicConnections: () => connections.open,
    datagrams,
    discovery: discovery && (() => discovery.report()),
  });
  const metricsListener = metrics && new MetricsListener(metrics.registry, logger);

  lifecycle.onStop(() => Promise.all([publicListener.stop(), apiListener.stop(), metricsListener?.stop()]));
  lifecycle.onStop(() => quic.stop());
  lifecycle.onStop(() => {
    leases.stop();
    certificates.stop();
    registry.close();
    bindings.close();
    datagrams.stop();
    connections.close();
  });
  const descriptors = new DescriptorWatch(logger);
  lifecycle.onStop(() => descriptors.stop());
  lifecycle.onStop(() => thumbnails?.stop());
  lifecycle.onStop(() => discovery?.stop());
  await audit.start();
  await policy.start();
  await adminSessions.start();
  await leases.start(defaultLeaseTtlSeconds);
  datagrams.start();
  applyPolicyEffects(policy, leases, registry);
  await listen(publicListener.server, config.host, config.sniPort);
  if (config.portRange) await quic.start(portOf(publicListener.server));
  await listen(apiListener.server, config.host, config.apiPort);
  if (metricsListener) await listen(metricsListener.server, '127.0.0.1', config.metricsPort as number);
  if (config.certificateFiles) {
    const onChange = () => {
      apiListener.setCertificate(certificates.current);
      quic.renew();
    };
    certificates.watch(config.certificateFiles, rootHost, config.certificateReloadIntervalMs, logger, onChange);
  }
  discovery?.start();
  descriptors.start();
  const [apiPort, publicPort] = [portOf(apiListener.server), portOf(publicListener.server)];
  const metricsPort = metricsListener && portOf(metricsListener.server);
  logger.info(
    {
      url: config.portalUrl.origin,
      rootHost,
      apiPort,
      publicPort,
      metricsPort,
      address: key.address,
      developmentCa: caFile,
    },
    'relay started',
  );
  return {
    apiPort,
    publicPort,
    metricsPort,
    address: key.address,
    developmentCaFile: caFile,
    datagrams,
    discovery: discovery && (() => discovery.report()),
    async drain(signal) {
      drain.abort();
      await registry.drain(signal);
    },
    stop: () => lifecycle.stop(),
  };
}

/** The first labels of those hosts that are names directly under another. */
function namesUnder(rootHost: string, hosts: string[]): string[] {
  const suffix = `.${rootHost}`;
  return hosts.filter((host) => host.endsWith(suffix)).map((host) => host.slice(0, -suffix.length));
}

const same = <Part>(part: Part): Part => part;

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function releaseVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
