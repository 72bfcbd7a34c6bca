import type { AddressInfo, Server } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiListener } from './api/api-listener.js';
import { addressList } from './address-list.js';
import { createApp } from './api/app.js';
import { ClientAddresses } from './api/client-address.js';
import { ConnectEndpoint } from './api/connect.js';
import { discoveryHandlers } from './api/discovery.js';
import { sdkHandlers } from './api/sdk.js';
import { systemHandlers } from './api/system.js';
import { LeaseAuth } from './auth/lease-auth.js';
import { relayKeyFromHex } from './auth/relay-key.js';
import { loadPrivateKeyFile } from '../sdk/identity-file.js';
import { AccessTokens } from './auth/tokens.js';
import { CertificateSource, loadCertificate } from './certs/certificate-source.js';
import { developmentCaFile, developmentCertificate } from './certs/development-ca.js';
import type { RelayConfig } from './config.js';
import { defaultLeaseTtlSeconds } from './constants.js';
import { Discovery, type DiscoveryReport } from './discovery/discovery.js';
import { PublicListener } from './ingress/public-listener.js';
import { Bindings } from './keyless/bindings.js';
import { DigestSigner } from './keyless/digest-signer.js';
import { TranscriptSigner } from './keyless/transcript-signer.js';
import { LeaseBook } from './leases/lease-book.js';
import { Registration } from './leases/registration.js';
import type { Logger } from './logger.js';
import { ReverseAdmission } from './reverse/admission.js';
import { SessionDirectory } from './reverse/session-directory.js';
import { makePrivateDir } from './state-dir.js';
import { SqliteStore } from './store/sqlite.js';

/** A relay that is running. */
export interface Relay {
  apiPort: number;
  publicPort: number;
  /** The relay's Ethereum address. */
  address: string;
  /** PEM file of the development CA, where one is in use. */
  developmentCaFile?: string;
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

/**
 * Starts a relay: store, certificate, the API listener and the public one.
 * @throws Error in one line when the state directory, the certificate or a port is not to be had
 */
export async function startRelay(config: RelayConfig, logger: Logger): Promise<Relay> {
  const rootHost = config.portalUrl.hostname;
  makePrivateDir(config.stateDir);
  const privateKey = await loadPrivateKeyFile(join(config.stateDir, 'identity.json'));
  const key = relayKeyFromHex(privateKey);
  const certificates = new CertificateSource(
    config.certificateFiles
      ? await loadCertificate(config.certificateFiles, rootHost)
      : await developmentCertificate(config.stateDir, rootHost),
  );
  const store = new SqliteStore(join(config.stateDir, 'portal.db'));

  const directory = new SessionDirectory();
  const bindings = new Bindings();
  const leases = new LeaseBook(
    rootHost,
    {
      maxTtlSeconds: config.maxLeaseTtlSeconds,
      perSource: config.maxLeasesPerSource,
      perWallet: config.maxLeasesPerWallet,
      reservedNames: new Set(config.reservedNames),
    },
    store,
    (lease, ending) => {
      logger.info({ hostname: lease.hostname, ending }, 'lease ended');
      directory.end(lease, ending);
    },
    (error) => logger.error({ err: error }, 'the store failed'),
  );

  /** Aborted once the relay takes no new work. */
  const drain = new AbortController();
  const tokens = new AccessTokens(key, config.portalUrl.origin);
  const auth = new LeaseAuth(tokens, leases);
  const registration = new Registration(config.portalUrl, leases, store);
  const admission = new ReverseAdmission(auth, directory, config.digestSigning, drain.signal);
  const digests = config.digestSigning ? new DigestSigner(certificates) : undefined;
  const transcripts = new TranscriptSigner(certificates, bindings);

  const publicListener = new PublicListener(
    {
      apiHosts: new Set([rootHost, ...config.apiHosts]),
      unboundSessions: config.digestSigning,
      maxConnectionsPerSource: config.maxConnectionsPerSource,
      maxConnectionsPerLease: config.maxConnectionsPerLease,
      leaseAt: (hostname) => (drain.signal.aborted ? undefined : leases.at(hostname)),
      isBalancer: addressList(config.proxyProtocolFrom),
      toApi: (socket, passedOnFor) => apiListener.accept(socket, passedOnFor),
    },
    directory,
    bindings,
    logger,
  );
  const discovery = config.discovery
    ? new Discovery({
        ...config.discovery,
        portalUrl: config.portalUrl,
        identity: { address: key.address, privateKey },
        load: () => directory.load(),
        ports: () => ({ udp: false, tcp: false }),
        logger,
      })
    : undefined;
  const addresses = new ClientAddresses(addressList(config.trustedProxies));
  const app = createApp({
    addresses,
    handlers: {
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
        draining: drain.signal,
      }),
      ...systemHandlers({ auth, leases, directory, transcripts, digests, draining: drain.signal }),
      ...discoveryHandlers(discovery),
    },
    logger,
    validateResponses: config.validateResponses,
  });
  const connect = new ConnectEndpoint(admission, addresses, logger);
  const apiListener = new ApiListener(app, certificates.current, connect, addresses);

  const stop = async () => {
    discovery?.stop();
    leases.stop();
    certificates.stop();
    directory.close();
    bindings.close();
    await Promise.all([publicListener.stop(), apiListener.stop()]);
    await store.close();
  };
  try {
    await leases.start(defaultLeaseTtlSeconds);
    await listen(publicListener.server, config.host, config.sniPort);
    await listen(apiListener.server, config.host, config.apiPort);
  } catch (error) {
    await stop();
    throw error;
  }
  if (config.certificateFiles) {
    const onChange = () => apiListener.setCertificate(certificates.current);
    certificates.watch(config.certificateFiles, rootHost, config.certificateReloadIntervalMs, logger, onChange);
  }
  discovery?.start();
  const [apiPort, publicPort] = [portOf(apiListener.server), portOf(publicListener.server)];
  const caFile = config.certificateFiles ? undefined : developmentCaFile(config.stateDir);
  logger.info(
    { url: config.portalUrl.origin, rootHost, apiPort, publicPort, address: key.address, developmentCa: caFile },
    'relay started',
  );
  return {
    apiPort,
    publicPort,
    address: key.address,
    developmentCaFile: caFile,
    discovery: discovery && (() => discovery.report()),
    async drain(signal) {
      drain.abort();
      await directory.drain(signal);
    },
    stop,
  };
}

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
