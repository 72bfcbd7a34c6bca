import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { getAddress } from 'ethers/address';
import { checkAcmeCa } from '../../acme/acme-ca.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import type { AcmeSettings } from '../certs/acme/ordered-certificate.js';
import type { CertificateFiles } from '../certs/certificate-source.js';
import type { DiscoverySettings } from '../discovery/discovery.js';
import type { OverlaySettings } from '../overlay/overlay.js';
import { domainRecheckIntervalMs } from '../leases/domain-rechecks.js';
import { type LogLevel, logLevels } from '../../util/logger.js';
import type { PolicySettings } from '../policy/settings.js';
import type { PortRange } from '../ports/port-allocator.js';
import { parseRedisAddress, type RedisAddress } from '../store/redis/redis-address.js';
import { ConfigError, GivenSettings } from './given-settings.js';

export const certificateReloadIntervalMs = 10_000;
/** Most leases with a port, as the contract bounds it. */
const maxPortLeases = 65_535;

/** Where a node of a relay takes visitors of the others. */
export interface NodeAddress {
  host: string;
  port: number;
}

/** Of a relay with several nodes. */
export interface ClusterSettings {
  /** What the nodes share. */
  store: RedisAddress;
  address: NodeAddress;
}

/** The configuration of a relay. */
export interface RelayConfig {
  /** Public URL of the API; its host is the root host. */
  portalUrl: URL;
  stateDir: string;
  /** The relay's key. */
  identityFile: string;
  /** Address that both listeners bind to. */
  host: string;
  apiPort: number;
  /** The public TLS port, routed by SNI. */
  sniPort: number;
  /** Leads plain HTTP to https; undefined for none. */
  httpPort: number | undefined;
  /** Most UDP ports that one lease may ask for. */
  maxUdpPortsPerLease: number;
  /** Port range for the TCP and UDP ports of leases; absent: leases get no ports. */
  portRange?: PortRange | undefined;
  /** Additional names that the public port routes to the API; the certificate should cover them. */
  apiHosts: string[];
  /**
   * Load balancers in front of the public port, as addresses and ranges: their connections begin with a PROXY header.
   */
  proxyProtocolFrom: string[];
  /** Trusted proxies in front of the API, whose X-Forwarded-For counts. */
  trustedProxies: string[];
  /** Whether visitors of names that nobody serves get a page. */
  offlinePage: boolean;
  /** Whether tunnels may have visitors' addresses passed on to the other relays of their path. */
  passVisitorAddress: boolean;
  /** Whether identities can have domains of their own. */
  domains: boolean;
  /** Whether names under the root host can have certificates of the tunnels' own. */
  ownCertificates: boolean;
  /** Addresses of DNS servers, with a port if it is not 53; the system's when there are none. */
  dnsServers: string[];
  domainRecheckIntervalMs: number;
  /** Absent: a development certificate, for root hosts under `localhost` only. */
  certificateFiles?: CertificateFiles | undefined;
  /** Present when the certificate is to be ordered. */
  acme?: AcmeSettings | undefined;
  maxLeaseTtlSeconds: number;
  /** Labels that nobody can lease. */
  reservedNames: string[];
  maxLeasesPerSource: number;
  maxLeasesPerWallet: number;
  /** Public connections open at once. */
  maxConnectionsPerSource: number;
  maxConnectionsPerLease: number;
  /** Who moves busy connections: system calls in threads, where they are available, or Node. */
  dataPlane: DataPlaneKind;
  dataWorkers: number;
  /** Sign any digest for any lease holder, as older Portal v2 clients need it. */
  digestSigning: boolean;
  /** Ethereum addresses, with checksum, that may log in to /admin; without any, /admin is off. */
  adminWallets: string[];
  /** Settings that apply until an admin changes them. */
  policy: PolicySettings;
  /** Executable of a Chromium for thumbnails; without it there are none. */
  chromium?: string | undefined;
  /** How long live connections may continue once the relay is told to stop. */
  drainTimeoutSeconds: number;
  /** Port for Prometheus metrics, on 127.0.0.1; absent: no metrics. */
  metricsPort?: number | undefined;
  /** Absent: discovery is off. */
  discovery?: DiscoverySettings | undefined;
  /** Absent: the relay is no part of the overlay. */
  overlay?: OverlaySettings | undefined;
  /** Absent: the relay has one node, and its store is in the state directory. */
  cluster?: ClusterSettings | undefined;
  logLevel: LogLevel;
  certificateReloadIntervalMs: number;
  /** Validate every response against the contract. */
  validateResponses: boolean;
}

const dataPlanes = ['kernel', 'entry', 'node'] as const;
export type DataPlaneKind = (typeof dataPlanes)[number];

const hostName = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/**
 * Reads the configuration from flags, environment and file.
 * @throws ConfigError with every fault found
 */
export function readRelayConfig(argv: string[], env: NodeJS.ProcessEnv): RelayConfig {
  const given = new GivenSettings(argv, env);
  const portalUrl = readPortalUrl(given);
  const portRange = readPortRange(given);
  const host = given.text('host') as string;
  if (!isIP(host)) given.fault('host', 'must be an IP address');
  const apiHosts = given.list('apiHosts');
  for (const name of apiHosts) if (!hostName.test(name)) given.fault('apiHosts', `${name} is not a host name`);

  const stateDir = resolve((given.text('stateDir') as string).replace(/^~(?=\/)/, homedir()));
  const config: Omit<RelayConfig, 'portalUrl'> = {
    stateDir,
    identityFile: resolve(given.text('identityFile') ?? join(stateDir, 'identity.json')),
    host,
    apiPort: given.number('apiPort', 0, 65_535),
    sniPort: given.number('sniPort', 0, 65_535),
    httpPort: given.text('httpPort') === undefined ? undefined : given.number('httpPort', 0, 65_535),
    portRange,
    maxUdpPortsPerLease: given.number('maxUdpPortsPerLease', 1, 16),
    apiHosts,
    proxyProtocolFrom: given.cidrs('proxyProtocolFrom'),
    trustedProxies: given.cidrs('trustedProxies'),
    offlinePage: given.isOn('offlinePage'),
    passVisitorAddress: given.isOn('passVisitorAddress'),
    domains: given.isOn('domains'),
    ownCertificates: given.isOn('ownCertificates'),
    dnsServers: readDnsServers(given),
    domainRecheckIntervalMs,
    certificateFiles: readCertificateFiles(given, portalUrl),
    acme: readAcme(given, portalUrl),
    maxLeaseTtlSeconds: given.number('maxLeaseTtl', 1, 86_400),
    reservedNames: given.list('reservedNames'),
    maxLeasesPerSource: given.number('maxLeasesPerSource', 1, 1_000_000),
    maxLeasesPerWallet: given.number('maxLeasesPerWallet', 1, 1_000_000),
    maxConnectionsPerSource: given.number('maxConnectionsPerSource', 1, 1_000_000),
    maxConnectionsPerLease: given.number('maxConnectionsPerLease', 1, 1_000_000),
    dataPlane: given.oneOf('dataPlane', dataPlanes),
    dataWorkers: given.number('dataWorkers', 1, 256),
    digestSigning: given.isOn('digestSigning'),
    adminWallets: readAdminWallets(given),
    policy: readPolicy(given, portRange !== undefined),
    chromium: given.text('chromium'),
    drainTimeoutSeconds: given.number('drainTimeout', 0, 86_400),
    metricsPort: given.text('metricsPort') === undefined ? undefined : given.number('metricsPort', 1, 65_535),
    discovery: readDiscovery(given, portalUrl),
    overlay: readOverlay(given),
    cluster: readCluster(given),
    logLevel: given.oneOf('logLevel', logLevels),
    certificateReloadIntervalMs,
    validateResponses: false,
  };
  if (given.faults.length > 0 || !portalUrl) throw new ConfigError(given.faults);
  return { portalUrl, ...config };
}

function readPortalUrl(given: GivenSettings): URL | undefined {
  const text = given.text('portalUrl');
  const fault = (what: string) => given.fault('portalUrl', what);
  if (!text) return void fault('is needed, for example https://relay.example.com');
  if (!URL.canParse(text)) return void fault(`${text} is not a URL`);
  const url = new URL(text);
  if (url.protocol !== 'https:' || url.pathname !== '/' || url.search || url.hash || url.username || url.password) {
    return void fault('must be https:// and a host, with a port where it is not 443, and nothing else');
  }
  if (isIP(url.hostname.replace(/^\[|\]$/g, '')))
    return void fault('must have a host name, not an address: tenants get names below it');
  if (url.hostname === 'localhost') {
    return void fault(
      '*.localhost is refused as a certificate name by TLS libraries: use a name below it, such as portal.localhost',
    );
  }
  return url;
}

function readCertificateFiles(given: GivenSettings, portalUrl: URL | undefined): CertificateFiles | undefined {
  const [certFile, keyFile] = [given.file('certFile'), given.file('keyFile')];
  if (Boolean(certFile) !== Boolean(keyFile))
    given.fault(certFile ? 'keyFile' : 'certFile', 'certificate and key are given together');
  const isOrdered = given.isOn('acme');
  if (isOrdered && certFile) given.fault('acme', 'orders a certificate, so --cert-file and --key-file have no place');
  if (portalUrl && !certFile && !isOrdered && !portalUrl.hostname.endsWith('.localhost')) {
    given.fault(
      'certFile',
      `a certificate for ${portalUrl.hostname} and *.${portalUrl.hostname} is needed: name its files, or have it ordered by --acme (only names under localhost get a development one)`,
    );
  }
  return certFile && keyFile ? { certFile: resolve(certFile), keyFile: resolve(keyFile) } : undefined;
}

const letsEncryptStaging = 'https://acme-staging-v02.api.letsencrypt.org/directory';
const acmeSettingNames = [
  ...(['acmeStaging', 'acmeEmail', 'acmeCa', 'acmeEabKid', 'acmeEabKey', 'acmeDnsHook'] as const),
  ...(['acmeFallback', 'acmeFallbackEabKid', 'acmeFallbackEabKey'] as const),
];

function readAcme(given: GivenSettings, portalUrl: URL | undefined): AcmeSettings | undefined {
  const isGiven = (name: (typeof acmeSettingNames)[number]) => ![undefined, 'false'].includes(given.text(name));
  if (!given.isOn('acme')) {
    const needless = acmeSettingNames.find(isGiven);
    if (needless) given.fault(needless, 'is for certificates that are ordered: --acme (ACME)');
    return undefined;
  }
  const fallback = given.text('acmeFallback');
  const fallbackAccount = externalAccount(given, 'acmeFallbackEabKid', 'acmeFallbackEabKey');
  if (fallbackAccount && fallback === undefined)
    given.fault('acmeFallbackEabKid', 'is for another CA: --acme-fallback (ACME_FALLBACK)');
  const hook = given.file('acmeDnsHook');
  const settings: AcmeSettings = {
    directory: given.isOn('acmeStaging') ? letsEncryptStaging : given.text('acmeDirectory'),
    email: given.text('acmeEmail'),
    ca: given.certificates('acmeCa'),
    externalAccount: externalAccount(given, 'acmeEabKid', 'acmeEabKey'),
    fallback: fallback === undefined ? undefined : { directory: fallback, externalAccount: fallbackAccount },
    dns:
      hook === undefined
        ? { port: given.number('acmeDnsPort', 0, 65_535) }
        : { hook: resolve(hook), waitSeconds: given.number('acmeDnsWait', 0, 3_600) },
  };
  for (const [name, ca] of [
    ['acme', settings],
    ['acmeFallback', settings.fallback],
  ] as const) {
    try {
      if (ca) checkAcmeCa(ca);
    } catch (error) {
      given.fault(name, (error as Error).message);
    }
  }
  if (portalUrl && !portalUrl.hostname.includes('.')) given.fault('acme', `no CA knows ${portalUrl.hostname}`);
  return settings;
}

/** An external account of a CA, if it is given. */
function externalAccount(
  given: GivenSettings,
  kidName: 'acmeEabKid' | 'acmeFallbackEabKid',
  keyName: 'acmeEabKey' | 'acmeFallbackEabKey',
): AcmeSettings['externalAccount'] {
  const [kid, hmacKey] = [given.text(kidName), given.textOfFile(keyName)];
  if (Boolean(kid) !== Boolean(given.text(keyName)))
    given.fault(kid ? keyName : kidName, 'key id and key of an external account are given together');
  return kid && hmacKey ? { kid, hmacKey } : undefined;
}

function readDnsServers(given: GivenSettings): string[] {
  const servers = given.list('dnsServers');
  for (const server of servers) {
    const address = /^(?:\[([^\]]*)\]|([^:]*)):[0-9]{1,5}$/.exec(server);
    if (!isIP(address?.[1] ?? address?.[2] ?? server))
      given.fault(
        'dnsServers',
        `${server} is not an IP address, with or without a port: 192.0.2.53, [2001:db8::53]:5353`,
      );
  }
  return servers;
}

function readPortRange(given: GivenSettings): PortRange | undefined {
  const [minPort, maxPort] = [given.text('minPort'), given.text('maxPort')];
  if (Boolean(minPort) !== Boolean(maxPort))
    given.fault(minPort ? 'maxPort' : 'minPort', 'first and last port go together');
  if (!minPort || !maxPort) return undefined;
  const range = { first: given.number('minPort', 1, 65_535), last: given.number('maxPort', 1, 65_535) };
  if (range.first > range.last) given.fault('maxPort', 'must not be below the first port');
  return range;
}

function readAdminWallets(given: GivenSettings): string[] {
  return given.list('adminWallets').map((wallet) => {
    if (/^0x[0-9a-f]{40}$/.test(wallet)) return getAddress(wallet);
    given.fault('adminWallets', `${wallet} is not an Ethereum address`);
    return wallet;
  });
}

function readPolicy(given: GivenSettings, hasPorts: boolean): PolicySettings {
  const enabled = (name: 'udp' | 'tcp'): boolean => {
    const isOn = given.isOn(name);
    if (isOn && !hasPorts) given.fault(name, 'needs ports to give out: --min-port and --max-port');
    return isOn;
  };
  return {
    approvalMode: given.oneOf('approvalMode', ['auto', 'manual']),
    landingPageEnabled: given.isOn('landingPage'),
    udp: { enabled: enabled('udp'), maxLeases: given.number('maxUdpLeases', 0, maxPortLeases) },
    tcpPort: { enabled: enabled('tcp'), maxLeases: given.number('maxTcpLeases', 0, maxPortLeases) },
  };
}

function readDiscovery(given: GivenSettings, portalUrl: URL | undefined): DiscoverySettings | undefined {
  const isOn = given.isOn('discovery');
  const bootstraps: URL[] = [];
  for (const text of given.list('bootstraps')) {
    try {
      bootstraps.push(parseRelayUrl(text));
    } catch (error) {
      given.fault('bootstraps', (error as Error).message);
    }
  }
  const port = Number(portalUrl?.port || 443);
  if (isOn && port !== 443 && port < 1024) {
    given.fault(
      'portalUrl',
      `other relays connect only to port 443 and to ports from 1024 up: discovery cannot work on port ${port}`,
    );
  }
  if (!isOn && bootstraps.length > 0) given.fault('bootstraps', 'is for relays with --discovery (DISCOVERY)');
  const settings = {
    bootstraps,
    ca: given.certificates('discoveryCa'),
    allowPrivate: given.isOn('discoveryAllowPrivate'),
  };
  return isOn ? settings : undefined;
}

function readCluster(given: GivenSettings): ClusterSettings | undefined {
  const text = given.text('store');
  const nodeAddress = given.text('nodeAddress');
  const ca = given.certificates('storeCa');
  if (text === undefined) {
    if (nodeAddress !== undefined) given.fault('nodeAddress', 'is for relays with several nodes: --store (STORE_URL)');
    if (ca !== undefined) given.fault('storeCa', 'is for --store (STORE_URL)');
    return undefined;
  }
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):([0-9]{1,5})$/.exec(nodeAddress ?? '') ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    given.fault(
      'nodeAddress',
      'is needed with --store: an address of this machine and a port that the other nodes reach, for example 10.0.0.5:4019',
    );
  if (!given.text('certFile'))
    given.fault('certFile', 'the nodes of a relay have the same certificate: name its files, also instead of --acme');
  if (given.isOn('udp')) given.fault('udp', 'a relay with several nodes has no UDP ports');
  if (given.isOn('overlay')) given.fault('overlay', 'a relay with several nodes is no part of the overlay');
  try {
    const address = { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
    return { store: parseRedisAddress(text, ca), address };
  } catch (error) {
    given.fault('store', (error as Error).message);
    return undefined;
  }
}

function readOverlay(given: GivenSettings): OverlaySettings | undefined {
  const wireguardPort = given.number('wireguardPort', 1, 65_535);
  if (!given.isOn('overlay')) return undefined;
  if (!given.isOn('discovery')) given.fault('overlay', 'needs --discovery (DISCOVERY), which finds the peers');
  return { wireguardPort };
}
