import { availableParallelism } from 'node:os';
import { letsEncrypt } from '../../acme/acme-ca.js';
import { logLevels } from '../../util/logger.js';

const defaultApiPort = 4017;
const defaultPublicPort = 443;
export const maxLeaseTtlSeconds = 3_600;
/** How long live connections may continue once the relay is told to stop. */
const defaultDrainTimeoutSeconds = 30;
const defaultMaxConnectionsPerSource = 1_024;
const defaultMaxConnectionsPerLease = 2_048;
const defaultMaxLeasesPerSource = 256;
/** By Ethereum address. */
const defaultMaxLeasesPerWallet = 64;
/** Names that software looks up by itself, or that people would take for the relay's own. */
const defaultReservedNames = [
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

export interface Setting {
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
    help: 'directory of the identity, leases and certificates',
  },
  identityFile: {
    flag: 'identity-file',
    env: 'IDENTITY_FILE',
    kind: 'text',
    help: "file of the relay's key, made at the first start; by default identity.json in the state directory. The nodes of a relay have the same",
  },
  store: {
    flag: 'store',
    env: 'STORE_URL',
    kind: 'text',
    help: 'redis:// URL of a Redis or Valkey that the nodes of this relay share (also rediss://, redis+sentinel://, redis+cluster://); by default the store is in the state directory',
  },
  storeCa: {
    flag: 'store-ca',
    env: 'STORE_CA',
    kind: 'text',
    help: 'PEM certificates to trust for that store instead of the well-known ones',
  },
  nodeAddress: {
    flag: 'node-address',
    env: 'NODE_ADDRESS',
    kind: 'text',
    help: 'with --store: address and port of this machine where it takes visitors of the other nodes, for example 10.0.0.5:4019',
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
  httpPort: {
    flag: 'http-port',
    env: 'HTTP_PORT',
    kind: 'number',
    help: 'port that leads plain HTTP requests to https, usually 80; none by default',
  },
  offlinePage: {
    flag: 'offline-page-enabled',
    env: 'OFFLINE_PAGE_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'show visitors a page where no service is connected under a name; the relay ends their TLS for that',
  },
  passVisitorAddress: {
    flag: 'pass-visitor-address',
    env: 'PASS_VISITOR_ADDRESS',
    kind: 'switch',
    fallback: 'false',
    help: "let tunnels have visitors' addresses passed on to the other relays of their path",
  },
  minPort: {
    flag: 'min-port',
    env: 'MIN_PORT',
    kind: 'number',
    help: 'first of the ports for TCP and UDP leases',
  },
  maxPort: { flag: 'max-port', env: 'MAX_PORT', kind: 'number', help: 'last of these ports' },
  apiHosts: {
    flag: 'api-hosts',
    env: 'API_HOSTS',
    kind: 'text',
    fallback: '',
    help: 'additional host names of the API on the public port, separated by commas',
  },
  proxyProtocolFrom: {
    flag: 'proxy-protocol-from',
    env: 'PROXY_PROTOCOL_CIDRS',
    kind: 'text',
    fallback: '',
    help: 'CIDR ranges of load balancers, which must send a PROXY header on the public port',
  },
  trustedProxies: {
    flag: 'trusted-proxies',
    env: 'TRUSTED_PROXY_CIDRS',
    kind: 'text',
    fallback: '',
    help: 'CIDR ranges of proxies whose X-Forwarded-For is trusted by the API',
  },
  domains: {
    flag: 'domains-enabled',
    env: 'DOMAINS_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'let identities have domains of their own, proven by a TXT record',
  },
  ownCertificates: {
    flag: 'own-certificates-enabled',
    env: 'OWN_CERTIFICATES_ENABLED',
    kind: 'switch',
    fallback: 'false',
    help: 'let tunnels order certificates of their own for names under the root host',
  },
  dnsServers: {
    flag: 'dns-servers',
    env: 'DNS_SERVERS',
    kind: 'text',
    fallback: '',
    help: "addresses of the DNS servers that are asked for these TXT records, separated by commas; the system's by default",
  },
  certFile: {
    flag: 'cert-file',
    env: 'CERT_FILE',
    kind: 'text',
    help: 'PEM certificate chain for the root host and *.root host',
  },
  keyFile: { flag: 'key-file', env: 'KEY_FILE', kind: 'text', help: 'PEM private key of the certificate' },
  acme: {
    flag: 'acme',
    env: 'ACME',
    kind: 'switch',
    fallback: 'false',
    help: 'order the certificate for the root host and *.root host from an ACME CA, and renew it; accepts its terms',
  },
  acmeDirectory: {
    flag: 'acme-directory',
    env: 'ACME_DIRECTORY',
    kind: 'text',
    fallback: letsEncrypt,
    help: "the CA's ACME directory",
  },
  acmeStaging: {
    flag: 'acme-staging',
    env: 'ACME_STAGING',
    kind: 'switch',
    fallback: 'false',
    help: "order from Let's Encrypt's staging environment, to try: nobody trusts its certificates",
  },
  acmeEmail: { flag: 'acme-email', env: 'ACME_EMAIL', kind: 'text', help: "address for the CA's notices" },
  acmeCa: {
    flag: 'acme-ca',
    env: 'ACME_CA',
    kind: 'text',
    help: "PEM certificates to trust for the CA's API instead of the well-known ones",
  },
  acmeEabKid: {
    flag: 'acme-eab-kid',
    env: 'ACME_EAB_KID',
    kind: 'text',
    help: 'key id of an external account, for CAs that ask for one',
  },
  acmeEabKey: {
    flag: 'acme-eab-key',
    env: 'ACME_EAB_KEY',
    kind: 'text',
    help: 'file with the HMAC key of that account, base64url',
  },
  acmeFallback: {
    flag: 'acme-fallback',
    env: 'ACME_FALLBACK',
    kind: 'text',
    help: 'ACME directory of another CA, for when the first one gives no certificate',
  },
  acmeFallbackEabKid: {
    flag: 'acme-fallback-eab-kid',
    env: 'ACME_FALLBACK_EAB_KID',
    kind: 'text',
    help: 'key id of an external account there',
  },
  acmeFallbackEabKey: {
    flag: 'acme-fallback-eab-key',
    env: 'ACME_FALLBACK_EAB_KEY',
    kind: 'text',
    help: 'file with the HMAC key of that account, base64url',
  },
  acmeDnsPort: {
    flag: 'acme-dns-port',
    env: 'ACME_DNS_PORT',
    kind: 'number',
    fallback: '53',
    help: 'UDP and TCP port where the relay answers for _acme-challenge.<root host>, which an NS record delegates to it',
  },
  acmeDnsHook: {
    flag: 'acme-dns-hook',
    env: 'ACME_DNS_HOOK',
    kind: 'text',
    help: 'a program that sets the TXT records instead, called as PROGRAM add|remove NAME VALUE',
  },
  acmeDnsWait: {
    flag: 'acme-dns-wait',
    env: 'ACME_DNS_WAIT',
    kind: 'number',
    fallback: '30',
    help: 'seconds after the program until all name servers have the records',
  },
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
    help: 'maximum of live leases for each source address',
  },
  maxLeasesPerWallet: {
    flag: 'max-leases-per-wallet',
    env: 'MAX_LEASES_PER_WALLET',
    kind: 'number',
    fallback: String(defaultMaxLeasesPerWallet),
    help: 'maximum of live leases for each Ethereum address',
  },
  maxConnectionsPerSource: {
    flag: 'max-connections-per-address',
    env: 'MAX_CONNECTIONS_PER_ADDRESS',
    kind: 'number',
    fallback: String(defaultMaxConnectionsPerSource),
    help: 'maximum of public connections from each source address',
  },
  maxConnectionsPerLease: {
    flag: 'max-connections-per-lease',
    env: 'MAX_CONNECTIONS_PER_LEASE',
    kind: 'number',
    fallback: String(defaultMaxConnectionsPerLease),
    help: 'maximum of concurrent public connections to each lease',
  },
  dataPlane: {
    flag: 'data-plane',
    env: 'DATA_PLANE',
    kind: 'text',
    fallback: 'kernel',
    help: 'kernel: busy connections by system calls in threads of their own (Linux); entry (experimental): new ones too; node: by Node alone',
  },
  dataWorkers: {
    flag: 'data-workers',
    env: 'DATA_WORKERS',
    kind: 'number',
    fallback: String(availableParallelism()),
    help: 'maximum of threads that move busy connections, by default one for each core',
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
    help: 'maximum of concurrent UDP leases, 0 for no limit (until an admin sets it)',
  },
  maxUdpPortsPerLease: {
    flag: 'max-udp-ports-per-lease',
    env: 'MAX_UDP_PORTS_PER_LEASE',
    kind: 'number',
    fallback: '8',
    help: 'most UDP ports with consecutive numbers that one lease may ask for, 1 to 16',
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
    help: 'maximum of concurrent raw TCP port leases, 0 for no limit (until an admin sets it)',
  },
  chromium: {
    flag: 'chromium',
    env: 'CHROMIUM',
    kind: 'text',
    help: 'Chromium executable that takes thumbnails of public pages; without it there are no thumbnails',
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
    help: 'find other relays, and announce this one to them and to tunnels',
  },
  bootstraps: {
    flag: 'bootstraps',
    env: 'BOOTSTRAPS',
    kind: 'text',
    fallback: '',
    help: 'URLs of the relays that discovery starts from, separated by commas',
  },
  discoveryCa: {
    flag: 'discovery-ca',
    env: 'DISCOVERY_CA',
    kind: 'text',
    help: 'PEM certificates that discovery trusts in addition to the well-known ones',
  },
  discoveryAllowPrivate: {
    flag: 'discovery-allow-private',
    env: 'DISCOVERY_ALLOW_PRIVATE',
    kind: 'switch',
    fallback: 'false',
    help: 'let discovery connect to loopback and private addresses: for tests and closed networks only',
  },
  overlay: {
    flag: 'overlay',
    env: 'OVERLAY',
    kind: 'switch',
    fallback: 'false',
    help: 'be a part of the encrypted mesh of relays (WireGuard): needs --discovery, Linux, CAP_NET_ADMIN, and the packages wireguard-tools, iproute2, nftables',
  },
  wireguardPort: {
    flag: 'wireguard-port',
    env: 'WIREGUARD_PORT',
    kind: 'number',
    fallback: '51820',
    help: 'UDP port of the mesh, on the host of the URL',
  },
  logLevel: { flag: 'log-level', env: 'LOG_LEVEL', kind: 'text', fallback: 'info', help: logLevels.join(', ') },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof relaySettings;

/** A setting's name in the configuration file. */
export const fileKey = ({ flag }: Setting): string => flag.replaceAll('-', '_');

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
