import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPrivateKeyFile } from '../sdk/identity/identity-file.js';
import type { ListeningSockets } from '../net/listening-sockets.js';
import { onFault } from '../util/boundary.js';
import type { Lifecycle } from '../util/lifecycle.js';
import type { Logger } from '../util/logger.js';
import { AuditLog } from './audit/audit-log.js';
import { type RelayKey, relayKeyFromHex } from './auth/relay-key.js';
import { OrderedCertificate } from './certs/acme/ordered-certificate.js';
import { CertificateSource, loadCertificate } from './certs/certificate-source.js';
import { developmentCaFile, developmentCertificate } from './certs/development-ca.js';
import type { NodeAddress, RelayConfig } from './config/config.js';
import { LeaseTable } from './leases/lease-table.js';
import { Activity } from './metrics/activity.js';
import { RelayMetrics } from './metrics/metrics.js';
import { timedStore } from './metrics/timed-store.js';
import { type NodeIdentity, nodeIdentity } from './nodes/node-identity.js';
import { Policy } from './policy/policy.js';
import { SqliteStore } from './store/sqlite.js';
import { makePrivateDir } from './store/state-dir.js';
import { lockStateDir } from './store/state-lock.js';
import { type SharedStore, type Store, StoreUnavailableError } from './store/store.js';

/** What every part of a relay is built on. */
export interface Foundation {
  config: RelayConfig;
  logger: Logger;
  lifecycle: Lifecycle;
  sockets: ListeningSockets;
  rootHost: string;
  releaseVersion: string;
  key: RelayKey;
  /** 0x and 64 hex digits. */
  privateKey: string;
  certificates: CertificateSource;
  /** PEM file of the development CA, if one is in use. */
  caFile: string | undefined;
  /** What happens, counted for the operator, and for the metrics where they are on. */
  activity: Activity;
  /** Present when metrics are on. */
  metrics: RelayMetrics | undefined;
  store: Store;
  audit: AuditLog;
  policy: Policy;
  leases: LeaseTable;
  /** Present where the relay has several nodes, of which this is one. */
  cluster: Cluster | undefined;
  /** Milliseconds since the epoch: what decides expiry. */
  clock: () => number;
  /** Aborted once the relay accepts no new work. */
  draining: AbortController;
  onStoreFault(error: unknown): void;
}

/** What a node has in common with the others. */
export interface Cluster {
  shared: SharedStore;
  identity: NodeIdentity;
  /** Where this node takes visitors of the others. */
  address: NodeAddress;
}

/**
 * Locks the state directory, and opens what is in it: the relay's key, its certificate, the store, the audit log.
 * @throws Error in one line when the state directory or the certificate cannot be used
 */
export async function layFoundation(
  config: RelayConfig,
  logger: Logger,
  lifecycle: Lifecycle,
  wrapStore: (store: Store) => Store,
  stopping: AbortSignal,
  sockets: ListeningSockets,
): Promise<Foundation> {
  const rootHost = config.portalUrl.hostname;
  makePrivateDir(config.stateDir);
  await lifecycle.start(
    () => lockStateDir(config.stateDir),
    (unlock) => unlock(),
  );
  const privateKey = await loadPrivateKeyFile(config.identityFile);
  const certificates = await findCertificate(config, logger, lifecycle, stopping);
  const metrics = config.metricsPort === undefined ? undefined : new RelayMetrics();
  const activity = new Activity(metrics);
  lifecycle.onStop(
    onFault((fault) => {
      metrics?.fault(fault);
      logger.error({ boundary: fault.boundary, err: fault.error }, 'a handler failed');
    }),
    { lasts: true },
  );
  const key = relayKeyFromHex(privateKey);
  const database = await lifecycle.start(
    async () => wrapStore(await openStore(config, key, logger)),
    (opened) => opened.close(),
  );
  const { shared } = database;
  const cluster = shared &&
    config.cluster && { shared, identity: await nodeIdentity(privateKey), address: config.cluster.address };
  const clock = () => shared?.now() ?? Date.now();
  const store = timedStore(database, activity.storeCall);
  const audit = new AuditLog(join(config.stateDir, 'audit.jsonl'), store.governance, (error) =>
    logger.error({ err: error }, 'the audit log cannot be written: its entries wait in the store'),
  );
  return {
    config,
    logger,
    lifecycle,
    sockets,
    rootHost,
    releaseVersion: releaseVersion(),
    key,
    privateKey,
    certificates,
    caFile: config.certificateFiles || config.acme ? undefined : developmentCaFile(config.stateDir),
    activity,
    metrics,
    store,
    audit,
    policy: new Policy(config.policy, store.governance, audit),
    leases: new LeaseTable(
      { perSource: config.maxLeasesPerSource, perWallet: config.maxLeasesPerWallet },
      clock,
      () => shared?.graceMs ?? 0,
    ),
    cluster,
    clock,
    draining: new AbortController(),
    onStoreFault: (error) => logger.error({ err: error }, 'the store failed'),
  };
}

/** @throws Error in one line when it cannot be used */
async function openStore({ cluster, stateDir, portalUrl }: RelayConfig, key: RelayKey, logger: Logger): Promise<Store> {
  if (!cluster) return new SqliteStore(join(stateDir, 'portal.db'));
  // Loaded only where it is used.
  const { RedisStore } = await import('./store/redis/redis-store.js');
  const onError = (error: Error) => logger.warn({ reason: error.message }, 'the shared store has a fault');
  return await RedisStore.open({
    address: cluster.store,
    rootHost: portalUrl.hostname,
    owner: key.address,
    onError,
  }).catch((cause: unknown) => {
    if (!(cause instanceof StoreUnavailableError)) throw cause;
    throw new Error(`the store does not answer (${cause.message}): start it, or change --store`, { cause });
  });
}

/** A certificate in files, an ordered one, which is waited for, or one for development. */
async function findCertificate(
  config: RelayConfig,
  logger: Logger,
  lifecycle: Lifecycle,
  stopping: AbortSignal,
): Promise<CertificateSource> {
  const { stateDir, certificateFiles, acme, host } = config;
  const rootHost = config.portalUrl.hostname;
  if (acme) {
    const ordered = new OrderedCertificate({ settings: acme, rootHost, stateDir, host, logger });
    lifecycle.onStop(() => ordered.stop());
    const source = new CertificateSource(await ordered.start(stopping));
    ordered.onChange((certificate) => source.replace(certificate));
    return source;
  }
  const certificate = certificateFiles
    ? await loadCertificate(certificateFiles, rootHost)
    : await developmentCertificate(stateDir, rootHost);
  const source = new CertificateSource(certificate);
  lifecycle.onStop(() => source.stop());
  return source;
}

function releaseVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
