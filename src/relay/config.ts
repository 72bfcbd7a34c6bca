import { existsSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { getAddress } from 'ethers';
import { parse as parseToml } from 'smol-toml';
import {
  certificateReloadIntervalMs,
  defaultApiPort,
  defaultDrainTimeoutSeconds,
  defaultMaxConnectionsPerLease,
  defaultMaxConnectionsPerSource,
  defaultMaxLeasesPerSource,
  defaultMaxLeasesPerWallet,
  defaultReservedNames,
  defaultPublicPort,
  maxLeaseTtlSeconds,
  maxPortLeases,
} from './constants.js';
import { parseRelayUrl } from '../sdk/relay-url.js';
import type { DiscoverySettings } from './discovery/discovery.js';
import type { CertificateFiles } from './certs/certificate-source.js';
import { isCidr } from './address-list.js';
import { type LogLevel, logLevels } from './logger.js';
import type { PortRange } from './ports/port-book.js';
import type { PolicySettings } from './policy/settings.js';

/** What a relay is started with. */
export interface RelayConfig {
  /** Where the API is reached by others; its host is the root host. */
  portalUrl: URL;
  stateDir: string;
  /** Address that both listeners bind. */
  host: string;
  apiPort: number;
  /** The public TLS port, routed by SNI. */
  sniPort: number;
  /** Where leases get TCP and UDP ports of their own; none: nowhere. */
  portRange?: PortRange;
  /** Further names under which the public port leads to the API; the certificate should be valid for them. */
  apiHosts: string[];
  /** Balancers in front of the public port, as addresses and ranges: their connections begin with a PROXY header. */
  proxyProtocolFrom: string[];
  /** Proxies in front of the API, likewise, whose X-Forwarded-For is believed. */
  trustedProxies: string[];
  /** Absent: a development certificate, for root hosts under `localhost` only. */
  certificateFiles?: CertificateFiles;
  maxLeaseTtlSeconds: number;
  /** Labels that nobody can lease. */
  reservedNames: string[];
  maxLeasesPerSource: number;
  maxLeasesPerWallet: number;
  /** Public connections open at once. */
  maxConnectionsPerSource: number;
  maxConnectionsPerLease: number;
  /** Sign any digest for any lease holder, as older Portal v2 clients ask for it. */
  digestSigning: boolean;
  /** Ethereum addresses, with checksum, that may log in to /admin; with none, that is off. */
  adminWallets: string[];
  /** What counts until an admin sets something else. */
  policy: PolicySettings;
  /** A Chromium's executable, for thumbnails; none are taken without. */
  chromium?: string;
  /** How long live connections may finish once the relay is told to stop. */
  drainTimeoutSeconds: number;
  /** Where Prometheus reads metrics, on 127.0.0.1; absent: nowhere. */
  metricsPort?: number;
  /** Absent: discovery is off. */
  discovery?: DiscoverySettings;
  logLevel: LogLevel;
  certificateReloadIntervalMs: number;
  /** Hold every answer against the contract. */
  validateResponses: boolean;
}

/** All that is wrong with a configuration, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly faults: string[]) {
    super(faults.join('\n'));
  }
}

interface Setting {
  flag: string;
  env: string;
  /** `on/off` settings are flags without a value. */
  kind: 'text' | 'number' | 'switch';
  fallback?: string;
  help: string;
}

/** Every setting, by flag, environment variable and key of the configuration file (the flag's name with `_`). */
export const relaySettings = {
  portalUrl: {
    flag: 'portal-url',
    env: 'PORTAL_URL',
    kind: 'text',
    help: 'public https URL of this relay; its host is the root host',
  },
  stateDir: {
    flag: 'state-dir',
    env: 'STATE_DIR',
    kind: 'text',
    fallback: '~/.local/state/portal-relay',
    help: 'where identity, leases and certificates are kept',
  },
  host: { flag: 'host', env: 'HOST', kind: 'text', fallback: '::', help: 'address to listen on' },
  apiPort: {
    flag: 'api-port',
    env: 'API_PORT',
    kind: 'number',
    fallback: String(defaultApiPort),
    help: 'HTTPS port of the API',
  },
  sniPort: {
    flag: 'sni-port',
    env: 'SNI_PORT',
    kind: 'number',
    fallback: String(defaultPublicPort),
    help: 'public TLS port, routed by server name',
  },
  minPort: {
    flag: 'min-port',
    env: 'MIN_PORT',
    kind: 'number',
    help: 'first of the ports for TCP and UDP leases',
  },
  maxPort: { flag: 'max-port', env: 'MAX_PORT', kind: 'number', help: 'last of them' },
  apiHosts: {
    flag: 'api-hosts',
    env: 'API_HOSTS',
    kind: 'text',
    fallback: '',
    help: 'further names of the API on the public port, separated by commas',
  },
  proxyProtocolFrom: {
    flag: 'proxy-protocol-from',
    env: 'PROXY_PROTOCOL_CIDRS',
    kind: 'text',
    fallback: '',
    help: 'balancers, as CIDRs, that must send a PROXY header on the public port',
  },
  trustedProxies: {
    flag: 'trusted-proxies',
    env: 'TRUSTED_PROXY_CIDRS',
    kind: 'text',
    fallback: '',
    help: 'proxies, as CIDRs, whose X-Forwarded-For the API believes',
  },
  certFile: {
    flag: 'cert-file',
    env: 'CERT_FILE',
    kind: 'text',
    help: 'PEM certificate chain for the root host and *.root host',
  },
  keyFile: { flag: 'key-file', env: 'KEY_FILE', kind: 'text', help: 'PEM private key of the certificate' },
  maxLeaseTtl: {
    flag: 'max-lease-ttl',
    env: 'MAX_LEASE_TTL',
    kind: 'number',
    fallback: String(maxLeaseTtlSeconds),
    help: 'longest lease, in seconds',
  },
  reservedNames: {
    flag: 'reserved-names',
    env: 'RESERVED_NAMES',
    kind: 'text',
    fallback: defaultReservedNames.join(','),
    help: 'names that nobody can lease, separated by commas',
  },
  maxLeasesPerSource: {
    flag: 'max-leases-per-address',
    env: 'MAX_LEASES_PER_ADDRESS',
    kind: 'number',
    fallback: String(defaultMaxLeasesPerSource),
    help: 'live leases by source address',
  },
  maxLeasesPerWallet: {
    flag: 'max-leases-per-wallet',
    env: 'MAX_LEASES_PER_WALLET',
    kind: 'number',
    fallback: String(defaultMaxLeasesPerWallet),
    help: 'live leases by Ethereum address',
  },
  maxConnectionsPerSource: {
    flag: 'max-connections-per-address',
    env: 'MAX_CONNECTIONS_PER_ADDRESS',
    kind: 'number',
    fallback: String(defaultMaxConnectionsPerSource),
    help: 'public connections by source address',
  },
  maxConnectionsPerLease: {
    flag: 'max-connections-per-lease',
    env: 'MAX_CONNECTIONS_PER_LEASE',
    kind: 'number',
    fallback: String(defaultMaxConnectionsPerLease),
    help: 'public connections served at once by lease',
  },
  digestSigning: {
    flag: 'digest-signing',
    env: 'DIGEST_SIGNING',
    kind: 'switch',
    fallback: 'false',
    help: 'sign bare digests for older clients (see docs/operations.md first)',
  },
  adminWallets: {
    flag: 'admin-wallets',
    env: 'ADMIN_WALLETS',
    kind: 'text',
    fallback: '',
    help: 'Ethereum addresses that may log in to /admin, separated by commas',
  },
  approvalMode: {
    flag: 'approval-mode',
    env: 'APPROVAL_MODE',
    kind: 'text',
    fallback: 'auto',
    help: 'auto, or manual: identities wait for an admin (until one sets it)',
  },
  landingPage: {
    flag: 'landing-page-enabled',
    env: 'LANDING_PAGE_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'show a page at the root host (until an admin sets it)',
  },
  udp: {
    flag: 'udp-enabled',
    env: 'UDP_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'allow UDP leases (until an admin sets it)',
  },
  maxUdpLeases: {
    flag: 'max-udp-leases',
    env: 'MAX_UDP_LEASES',
    kind: 'number',
    fallback: '0',
    help: 'UDP leases at once, 0 for no limit (until an admin sets it)',
  },
  tcp: {
    flag: 'tcp-enabled',
    env: 'TCP_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'allow raw TCP port leases (until an admin sets it)',
  },
  maxTcpLeases: {
    flag: 'max-tcp-leases',
    env: 'MAX_TCP_LEASES',
    kind: 'number',
    fallback: '0',
    help: 'raw TCP port leases at once, 0 for no limit (until an admin sets it)',
  },
  chromium: {
    flag: 'chromium',
    env: 'CHROMIUM',
    kind: 'text',
    help: 'executable of a Chromium that takes thumbnails of public pages; none are taken without',
  },
  drainTimeout: {
    flag: 'drain-timeout',
    env: 'DRAIN_TIMEOUT',
    kind: 'number',
    fallback: String(defaultDrainTimeoutSeconds),
    help: 'how long live connections may finish at SIGTERM, in seconds',
  },
  metricsPort: {
    flag: 'metrics-port',
    env: 'METRICS_PORT',
    kind: 'number',
    help: 'port of Prometheus metrics on 127.0.0.1, as http://127.0.0.1:VALUE/metrics; without it there are none',
  },
  discovery: {
    flag: 'discovery',
    env: 'DISCOVERY',
    kind: 'switch',
    fallback: 'false',
    help: 'look for other relays, and let them and tunnels know of this one',
  },
  bootstraps: {
    flag: 'bootstraps',
    env: 'BOOTSTRAPS',
    kind: 'text',
    fallback: '',
    help: 'URLs of relays to begin discovery with, separated by commas',
  },
  discoveryCa: {
    flag: 'discovery-ca',
    env: 'DISCOVERY_CA',
    kind: 'text',
    help: 'PEM certificates that discovery trusts beside the well-known ones',
  },
  discoveryAllowPrivate: {
    flag: 'discovery-allow-private',
    env: 'DISCOVERY_ALLOW_PRIVATE',
    kind: 'switch',
    fallback: 'false',
    help: 'let discovery visit loopback and private addresses: for tests and closed networks only',
  },
  logLevel: { flag: 'log-level', env: 'LOG_LEVEL', kind: 'text', fallback: 'info', help: logLevels.join(', ') },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof relaySettings;

const hostName = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;

/**
 * Reads the configuration: flags win over the environment, the environment over the file (`--config`, TOML), the file
 * over the defaults.
 * @throws ConfigError with every fault found
 */
export function readRelayConfig(argv: string[], env: NodeJS.ProcessEnv): RelayConfig {
  const faults: string[] = [];
  const flags = readFlags(argv);
  // A variable that is set to nothing, as compose files do, is not set: '' would be port 0 and the working directory.
  env = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const file = readFile(flags['config'] ?? env['PORTAL_CONFIG'], faults);

  const known = new Set(Object.values(relaySettings).map(({ flag }) => flag.replaceAll('-', '_')));
  for (const key of Object.keys(file))
    if (!known.has(key)) faults.push(`${key}: not a setting (in the configuration file)`);

  const text = (name: SettingName): string | undefined => {
    const setting: Setting = relaySettings[name];
    return flags[setting.flag] ?? env[setting.env] ?? file[setting.flag.replaceAll('-', '_')] ?? setting.fallback;
  };
  const fault = (name: SettingName, what: string) =>
    faults.push(`--${relaySettings[name].flag} (${relaySettings[name].env}): ${what}`);
  const number = (name: SettingName, min: number, max: number): number => {
    const value = Number(text(name));
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    fault(name, `must be a whole number from ${min} to ${max}`);
    return min;
  };
  const onOff = (name: SettingName): boolean => {
    const value = text(name) ?? 'false';
    if (!['true', 'false', '1', '0', 'on', 'off'].includes(value)) fault(name, 'must be true or false');
    return ['true', '1', 'on'].includes(value);
  };

  const portalUrl = readPortalUrl(text('portalUrl'), (what) => fault('portalUrl', what));
  const [certFile, keyFile] = [text('certFile'), text('keyFile')];
  if (Boolean(certFile) !== Boolean(keyFile))
    fault(certFile ? 'keyFile' : 'certFile', 'certificate and key are given together');
  for (const [name, path] of [
    ['certFile', certFile],
    ['keyFile', keyFile],
  ] as const) {
    if (path && !isFile(path)) fault(name, `${path} is not a file that can be read`);
  }
  if (portalUrl && !certFile && !portalUrl.hostname.endsWith('.localhost')) {
    fault(
      'certFile',
      `a certificate for ${portalUrl.hostname} and *.${portalUrl.hostname} is needed (only names under localhost get a development one)`,
    );
  }
  const logLevel = text('logLevel') as LogLevel;
  if (!logLevels.includes(logLevel)) fault('logLevel', `must be one of ${logLevels.join(', ')}`);
  const [minPort, maxPort] = [text('minPort'), text('maxPort')];
  let portRange: PortRange | undefined;
  if (Boolean(minPort) !== Boolean(maxPort)) fault(minPort ? 'maxPort' : 'minPort', 'first and last port go together');
  else if (minPort && maxPort) {
    portRange = { first: number('minPort', 1, 65_535), last: number('maxPort', 1, 65_535) };
    if (portRange.first > portRange.last) fault('maxPort', 'must not be below the first port');
  }
  const [udp, tcp] = [onOff('udp'), onOff('tcp')];
  if (udp && !minPort) fault('udp', 'needs ports to give out: --min-port and --max-port');
  if (tcp && !minPort) fault('tcp', 'needs ports to give out: --min-port and --max-port');
  const host = text('host') as string;
  if (!isIP(host)) fault('host', 'must be an IP address');

  const list = (name: SettingName): string[] =>
    (text(name) as string)
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== '');
  const apiHosts = list('apiHosts');
  for (const name of apiHosts) if (!hostName.test(name)) fault('apiHosts', `${name} is not a host name`);
  const cidrs = (name: SettingName): string[] => {
    const items = list(name);
    for (const item of items) if (!isCidr(item)) fault(name, `${item} is not an address or a CIDR, as 192.0.2.0/24 is`);
    return items;
  };

  const adminWallets = list('adminWallets').map((wallet) => {
    if (/^0x[0-9a-f]{40}$/.test(wallet)) return getAddress(wallet);
    fault('adminWallets', `${wallet} is not an Ethereum address`);
    return wallet;
  });
  const approvalMode = text('approvalMode') as PolicySettings['approvalMode'];
  if (!['auto', 'manual'].includes(approvalMode)) fault('approvalMode', 'must be auto or manual');

  const discovery = readDiscovery(
    {
      portalUrl,
      isOn: onOff('discovery'),
      bootstraps: list('bootstraps'),
      caFile: text('discoveryCa'),
      allowPrivate: onOff('discoveryAllowPrivate'),
    },
    fault,
  );

  const config: Omit<RelayConfig, 'portalUrl'> = {
    stateDir: resolve((text('stateDir') as string).replace(/^~(?=\/)/, homedir())),
    host,
    apiPort: number('apiPort', 0, 65_535),
    sniPort: number('sniPort', 0, 65_535),
    portRange,
    apiHosts,
    proxyProtocolFrom: cidrs('proxyProtocolFrom'),
    trustedProxies: cidrs('trustedProxies'),
    certificateFiles: certFile && keyFile ? { certFile: resolve(certFile), keyFile: resolve(keyFile) } : undefined,
    maxLeaseTtlSeconds: number('maxLeaseTtl', 1, 86_400),
    reservedNames: list('reservedNames'),
    maxLeasesPerSource: number('maxLeasesPerSource', 1, 1_000_000),
    maxLeasesPerWallet: number('maxLeasesPerWallet', 1, 1_000_000),
    maxConnectionsPerSource: number('maxConnectionsPerSource', 1, 1_000_000),
    maxConnectionsPerLease: number('maxConnectionsPerLease', 1, 1_000_000),
    digestSigning: onOff('digestSigning'),
    adminWallets,
    policy: {
      approvalMode,
      landingPageEnabled: onOff('landingPage'),
      udp: { enabled: udp, maxLeases: number('maxUdpLeases', 0, maxPortLeases) },
      tcpPort: { enabled: tcp, maxLeases: number('maxTcpLeases', 0, maxPortLeases) },
    },
    chromium: text('chromium'),
    drainTimeoutSeconds: number('drainTimeout', 0, 86_400),
    metricsPort: text('metricsPort') === undefined ? undefined : number('metricsPort', 1, 65_535),
    discovery,
    logLevel,
    certificateReloadIntervalMs,
    validateResponses: false,
  };
  if (faults.length > 0 || !portalUrl) throw new ConfigError(faults);
  return { portalUrl, ...config };
}

/** The settings as text for `--help`. */
export function relaySettingsHelp(): string {
  const rows = Object.values(relaySettings).map((setting: Setting) => {
    const head = `  --${setting.flag}${setting.kind === 'switch' ? '' : ' VALUE'}`;
    const fallback = !setting.fallback || setting.kind === 'switch' ? '' : ` [${setting.fallback}]`;
    return `${head.padEnd(35)} ${setting.env.padEnd(28)} ${setting.help}${fallback}`;
  });
  return [
    ...rows,
    `${'  --config FILE'.padEnd(35)} ${'PORTAL_CONFIG'.padEnd(28)} TOML file with the same settings, as portal_url, state_dir, ...`,
  ].join('\n');
}

function readFlags(argv: string[]): Record<string, string | undefined> {
  const options: Record<string, { type: 'string' | 'boolean' }> = { config: { type: 'string' } };
  for (const setting of Object.values(relaySettings))
    options[setting.flag] = { type: setting.kind === 'switch' ? 'boolean' : 'string' };
  try {
    const { values } = parseArgs({ args: argv, options, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [flag, String(value)]));
  } catch (error) {
    throw new ConfigError([(error as Error).message.split('. ')[0] as string]);
  }
}

function readFile(path: string | undefined, faults: string[]): Record<string, string | undefined> {
  if (path === undefined) return {};
  try {
    return Object.fromEntries(
      Object.entries(parseToml(readFileSync(path, 'utf8'))).map(([key, value]) => [key, String(value)]),
    );
  } catch (error) {
    faults.push(`--config (PORTAL_CONFIG): ${(error as Error).message.split('\n')[0]}`);
    return {};
  }
}

function readPortalUrl(text: string | undefined, fault: (what: string) => void): URL | undefined {
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

function readDiscovery(
  given: { portalUrl?: URL; isOn: boolean; bootstraps: string[]; caFile?: string; allowPrivate: boolean },
  fault: (name: SettingName, what: string) => void,
): DiscoverySettings | undefined {
  const bootstraps: URL[] = [];
  for (const text of given.bootstraps) {
    try {
      bootstraps.push(parseRelayUrl(text));
    } catch (error) {
      fault('bootstraps', (error as Error).message);
    }
  }
  let ca: string | undefined;
  if (given.caFile !== undefined) {
    if (isFile(given.caFile)) ca = readFileSync(given.caFile, 'utf8');
    if (!ca?.includes('-----BEGIN CERTIFICATE-----'))
      fault('discoveryCa', `${given.caFile} has no PEM certificate in it`);
  }
  const port = Number(given.portalUrl?.port || 443);
  if (given.isOn && port !== 443 && port < 1024) {
    fault('portalUrl', `other relays visit port 443 and those from 1024 up, not ${port}: discovery would be of no use`);
  }
  if (!given.isOn && bootstraps.length > 0) fault('bootstraps', 'is for relays with --discovery (DISCOVERY)');
  return given.isOn ? { bootstraps, ca, allowPrivate: given.allowPrivate } : undefined;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
