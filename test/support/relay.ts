import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, after, before } from 'node:test';
import type { RelayConfig } from '../../src/relay/config/config.js';
import { certificateReloadIntervalMs } from '../../src/relay/config/config.js';
import { domainRecheckIntervalMs } from '../../src/relay/leases/domain-rechecks.js';
import { maxLeaseTtlSeconds } from '../../src/relay/config/settings.js';
import type { PortSettings } from '../../src/relay/policy/settings.js';
import { createLogger } from '../../src/util/logger.js';
import { type RelayServer, type RelayParts, startRelay } from '../../src/relay/relay-server.js';

export interface TestRelay {
  relay: RelayServer;
  config: RelayConfig;
  /** `https://portal.localhost:PORT`, the port being the public one. */
  url: string;
  rootHost: string;
  apiPort: number;
  publicPort: number;
  /** PEM, and the file it is in. */
  ca: string;
  caFile: string;
  /** The chain that tenants present, PEM. */
  certificatePem: string;
  /** Stops the relay; its state directory goes too, unless it was given. */
  stop(): Promise<void>;
}

/** A relay on free loopback ports with a state directory of its own, its answers held against the contract. */
export async function startTestRelay(overrides: Partial<RelayConfig> = {}, parts: RelayParts = {}): Promise<TestRelay> {
  const stateDir = overrides.stateDir ?? mkdtempSync(join(tmpdir(), 'portal-relay-'));
  const sniPort = overrides.sniPort ?? (await freePort());
  const config: RelayConfig = {
    portalUrl: new URL(`https://portal.localhost:${sniPort}`),
    stateDir,
    identityFile: join(stateDir, 'identity.json'),
    host: '127.0.0.1',
    apiPort: 0,
    apiHosts: [],
    proxyProtocolFrom: [],
    trustedProxies: [],
    sniPort,
    httpPort: undefined,
    maxLeaseTtlSeconds,
    reservedNames: ['www'],
    maxLeasesPerSource: 256,
    maxLeasesPerWallet: 64,
    maxConnectionsPerSource: 1_024,
    maxConnectionsPerLease: 2_048,
    dataPlane: process.env['TEST_DATA_PLANE'] === 'node' ? 'node' : 'kernel',
    dataWorkers: 2,
    maxUdpPortsPerLease: 8,
    digestSigning: false,
    offlinePage: false,
    passVisitorAddress: false,
    domains: false,
    ownCertificates: false,
    dnsServers: [],
    domainRecheckIntervalMs,
    adminWallets: [],
    policy: {
      approvalMode: 'auto',
      landingPageEnabled: false,
      udp: { enabled: false, maxLeases: 0 },
      tcpPort: { enabled: false, maxLeases: 0 },
    },
    drainTimeoutSeconds: 30,
    logLevel: (process.env['TEST_LOG'] as RelayConfig['logLevel']) ?? 'silent',
    certificateReloadIntervalMs,
    validateResponses: true,
    ...overrides,
  };
  const removeState = () => {
    if (!overrides.stateDir) rmSync(stateDir, { recursive: true, force: true });
  };
  const relay = await startRelay(config, createLogger(config.logLevel), parts).catch((error: unknown) => {
    removeState();
    throw error;
  });
  const caFile = relay.developmentCaFile ?? config.certificateFiles?.certFile ?? '';
  return {
    relay,
    config,
    url: config.portalUrl.origin,
    rootHost: config.portalUrl.hostname,
    apiPort: relay.apiPort,
    publicPort: relay.publicPort,
    ca: readFileSync(caFile, 'utf8'),
    caFile,
    certificatePem: readFileSync(config.certificateFiles?.certFile ?? join(stateDir, 'development-cert.pem'), 'utf8'),
    async stop() {
      await relay.stop();
      removeState();
    },
  };
}

/** A relay that is stopped when the test is over. */
export async function relayFor(
  t: TestContext,
  overrides: Partial<RelayConfig> = {},
  parts: RelayParts = {},
): Promise<TestRelay> {
  const relay = await startTestRelay(overrides, parts);
  t.after(() => relay.stop());
  return relay;
}

/**
 * One relay for all tests of a file or suite: to be used in tests, and in `setUp`.
 * @param setUp runs once the relay is up. A `before` hook of its own would not wait for it: those of a file run side by side
 */
export function sharedRelay(
  overrides: Partial<RelayConfig> | (() => Promise<Partial<RelayConfig>>) = {},
  setUp: () => Promise<void> = async () => {},
): TestRelay {
  const shared = {} as TestRelay;
  before(async () => {
    const config = typeof overrides === 'function' ? await overrides() : overrides;
    Object.assign(shared, await startTestRelay(config));
    await setUp();
  });
  after(() => shared.stop());
  return shared;
}

/**
 * Settings of a relay with TCP and UDP ports to give out.
 * @param count ports that were free a moment ago, one after the other
 */
export async function withPorts(
  count: number,
  { tcp = {}, udp = {} }: { tcp?: Partial<PortSettings>; udp?: Partial<PortSettings> } = {},
): Promise<Pick<RelayConfig, 'portRange' | 'policy'>> {
  const first = await freePortRange(count);
  return {
    portRange: { first, last: first + count - 1 },
    policy: {
      approvalMode: 'auto',
      landingPageEnabled: false,
      tcpPort: { enabled: true, maxLeases: 0, ...tcp },
      udp: { enabled: true, maxLeases: 0, ...udp },
    },
  };
}

/**
 * The first of some ports in a row that are free. They are below those that the system gives out by itself, so that
 * nobody takes one before it is listened to, or while a relay starts again.
 */
export async function freePortRange(count: number): Promise<number> {
  for (;;) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => given.has(port))) continue;
    for (const port of ports) given.add(port);
    const probes = ports.map(() => createServer());
    try {
      await Promise.all(
        probes.map((probe, index) => {
          probe.listen(first + index, '127.0.0.1');
          return once(probe, 'listening');
        }),
      );
      return first;
    } catch {
      // One of them was taken.
    } finally {
      await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
    }
  }
}

/** Ports that were looked at by this process. */
const given = new Set<number>();

/** A port that was free a moment ago: a relay's own URL must name its port before it listens. */
export async function freePort(): Promise<number> {
  return await freePortRange(1);
}
