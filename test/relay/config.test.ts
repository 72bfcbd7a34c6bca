import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readRelayConfig } from '../../src/relay/config/config.js';
import { ConfigError } from '../../src/relay/config/given-settings.js';

function faultsOf(argv: string[], env = {}): string[] {
  try {
    readRelayConfig(argv, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
  return [];
}

test('flags win over the environment, the environment over the file, the file over the defaults', () => {
  const dir = mkdtempSync(join(tmpdir(), 'portal-config-'));
  try {
    const file = join(dir, 'relay.toml');
    writeFileSync(file, 'portal_url = "https://a.localhost"\napi_port = 1001\nsni_port = 1002\nmax_lease_ttl = 60\n');
    const config = readRelayConfig(['--config', file, '--api-port', '3001'], { API_PORT: '2001', SNI_PORT: '2002' });
    assert.equal(config.portalUrl.hostname, 'a.localhost');
    assert.deepEqual([config.apiPort, config.sniPort, config.maxLeaseTtlSeconds], [3001, 2002, 60]);
    assert.equal(config.digestSigning, false);
    writeFileSync(file, 'portal_url = "https://a.localhost"\nadmin = true\n');
    assert.match(faultsOf(['--config', file]).join(), /^admin: unknown setting/);
    writeFileSync(file, 'portal_url = ');
    assert.equal(faultsOf(['--config', file, '--portal-url', 'https://a.localhost']).length, 1);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a list in the file may be a TOML array, or a text with commas', () => {
  const dir = mkdtempSync(join(tmpdir(), 'portal-config-'));
  try {
    const file = join(dir, 'relay.toml');
    for (const list of ['["10.0.0.0/8", "2001:db8::/32"]', '"10.0.0.0/8,2001:db8::/32"']) {
      writeFileSync(file, `portal_url = "https://a.localhost"\ntrusted_proxies = ${list}\n`);
      assert.deepEqual(readRelayConfig(['--config', file], {}).trustedProxies, ['10.0.0.0/8', '2001:db8::/32']);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('an empty environment variable counts as unset', () => {
  const names = ['API_PORT', 'SNI_PORT', 'STATE_DIR', 'HOST', 'LOG_LEVEL', 'DIGEST_SIGNING', 'PORTAL_CONFIG'];
  const argv = ['--portal-url', 'https://a.localhost'];
  assert.deepEqual(
    readRelayConfig(argv, Object.fromEntries(names.map((name) => [name, '']))),
    readRelayConfig(argv, {}),
  );
});

test('every configuration error is one line with flag and variable', () => {
  const faults = faultsOf([
    '--portal-url',
    'http://relay.example.com',
    '--api-port',
    '70000',
    '--log-level',
    'loud',
    '--cert-file',
    '/nowhere.pem',
  ]);
  assert.equal(faults.length, 5, faults.join('\n'));
  assert.match(faults.join('\n'), /--portal-url \(PORTAL_URL\): must be https/);
  assert.ok(faults.every((fault) => !fault.includes('\n')));
});

test('a root host that cannot have tenants or a certificate is refused', () => {
  for (const [url, why] of [
    ['', /is needed/],
    ['relay', /not a URL/],
    ['https://localhost', /portal\.localhost/],
    ['https://127.0.0.1', /not an address/],
    ['https://[::1]', /not an address/],
    ['https://a.localhost/path', /nothing else/],
    ['https://user:pw@a.localhost', /nothing else/],
    ['https://relay.example.com', /a certificate for relay\.example\.com/],
  ] as const) {
    assert.match(faultsOf(url ? ['--portal-url', url] : []).join(), why, url);
  }
});

test('further names of the API are host names', () => {
  const argv = ['--portal-url', 'https://a.localhost', '--api-hosts', 'API.example.com, b.localhost'];
  assert.deepEqual(readRelayConfig(argv, {}).apiHosts, ['api.example.com', 'b.localhost']);
  assert.match(faultsOf([...argv.slice(0, 3), 'a b']).join(), /a b is not a host name/);
});

test('trusted balancers and proxies are addresses and CIDR ranges; each invalid one is reported', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  const env = { TRUSTED_PROXY_CIDRS: '10.0.0.0/8, 2001:DB8::/32', PROXY_PROTOCOL_CIDRS: '192.0.2.1' };
  const config = readRelayConfig(url, env);
  assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '2001:db8::/32']);
  assert.deepEqual(config.proxyProtocolFrom, ['192.0.2.1']);
  const wrong = ['10.0.0.0/33', '10.0.0', '::/129', '10.0.0.1/', 'all', 'fe80::1%eth0'];
  const faults = faultsOf([...url, '--trusted-proxies', wrong.join(',')], { PROXY_PROTOCOL_CIDRS: '10.0.0.0/-1' });
  assert.equal(faults.length, wrong.length + 1, faults.join('\n'));
  assert.match(
    faults.join('\n'),
    /--trusted-proxies \(TRUSTED_PROXY_CIDRS\): 10\.0\.0\.0\/33 is neither an IP address nor a CIDR/,
  );
});

test('disabled settings are not validated, and unknown ones are errors', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  assert.deepEqual(faultsOf(url, { UDP_ENABLED: 'false', DISCOVERY: '0' }), []);
  assert.equal(faultsOf([...url, '--no-such-flag']).length, 1);
});

test('TCP and UDP leases need a valid port range', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  const range = { MIN_PORT: '20000', MAX_PORT: '20010' };
  const { portRange, policy } = readRelayConfig([...url, '--tcp-enabled'], { ...range, MAX_UDP_LEASES: '5' });
  assert.deepEqual(portRange, { first: 20_000, last: 20_010 });
  assert.deepEqual(policy.tcpPort, { enabled: true, maxLeases: 0 });
  assert.deepEqual(policy.udp, { enabled: false, maxLeases: 5 });
  assert.equal(readRelayConfig(url, {}).portRange, undefined);
  assert.match(faultsOf(url, { TCP_ENABLED: '1' }).join(), /--tcp-enabled \(TCP_ENABLED\): needs ports to give out/);
  assert.match(faultsOf(url, { UDP_ENABLED: 'on' }).join(), /--udp-enabled \(UDP_ENABLED\): needs ports to give out/);
  assert.match(faultsOf(url, { MIN_PORT: '20000' }).join(), /--max-port \(MAX_PORT\): first and last port go together/);
  assert.match(faultsOf(url, { MIN_PORT: '2', MAX_PORT: '1' }).join(), /\(MAX_PORT\): must not be below/);
  assert.match(faultsOf(url, { MIN_PORT: '1', MAX_PORT: '65536' }).join(), /\(MAX_PORT\): must be a whole number/);
});

test('admin wallets are Ethereum addresses in upper or lower case', () => {
  const argv = ['--portal-url', 'https://a.localhost'];
  const [one, two] = ['0xDb2F216439001033EBBE995570B66dfF5b17361d', '0x52908400098527886E0F7030069857D2E4169EE7'];
  const ADMIN_WALLETS = `${one.toLowerCase()}, ${two.replace('0x', '0X')}`;
  assert.deepEqual(readRelayConfig(argv, { ADMIN_WALLETS }).adminWallets, [one, two]);
  assert.deepEqual(readRelayConfig(argv, {}).adminWallets, []);
  assert.match(
    faultsOf(argv, { ADMIN_WALLETS: `${one},0x1` }).join(),
    /\(ADMIN_WALLETS\): 0x1 is not an Ethereum address/,
  );
});

test('initial values of admin settings come from the configuration', () => {
  const argv = ['--portal-url', 'https://a.localhost', '--approval-mode', 'manual', '--max-udp-leases', '3'];
  assert.deepEqual(readRelayConfig(argv, { LANDING_PAGE_ENABLED: 'true' }).policy, {
    approvalMode: 'manual',
    landingPageEnabled: true,
    udp: { enabled: false, maxLeases: 3 },
    tcpPort: { enabled: false, maxLeases: 0 },
  });
  const faults = faultsOf(argv.slice(0, 2), { APPROVAL_MODE: 'none', MAX_TCP_LEASES: '65536' }).join('\n');
  assert.match(faults, /\(APPROVAL_MODE\): must be one of auto, manual/);
  assert.match(faults, /\(MAX_TCP_LEASES\): must be a whole number from 0 to 65535/);
});

test('metrics are off unless a port is configured', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  assert.equal(readRelayConfig(url, { METRICS_PORT: '' }).metricsPort, undefined);
  assert.equal(readRelayConfig(url, { METRICS_PORT: '4018' }).metricsPort, 4018);
  for (const wrong of ['0', 'on', '70000'])
    assert.match(faultsOf([...url, '--metrics-port', wrong]).join(), /METRICS_PORT/);
});

test('discovery is off by default, and its bootstraps are relay URLs', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  assert.equal(readRelayConfig(url, {}).discovery, undefined);
  assert.equal(readRelayConfig(url, { DISCOVERY: 'false' }).discovery, undefined);
  const { discovery } = readRelayConfig([...url, '--discovery'], { BOOTSTRAPS: 'https://b.example, c.example:4017' });
  assert.deepEqual(discovery?.bootstraps.map(String), ['https://b.example/', 'https://c.example:4017/']);
  assert.equal(discovery?.allowPrivate, false);
  assert.match(
    faultsOf(url, { BOOTSTRAPS: 'https://b.example' }).join(),
    /BOOTSTRAPS\): is for relays with --discovery/,
  );
  assert.match(faultsOf([...url, '--discovery', '--bootstraps', 'http://b.example']).join(), /begins with https/);
  assert.match(
    faultsOf([...url, '--discovery', '--discovery-ca', '/nowhere.pem']).join(),
    /not a file that can be read/,
  );
  const noPem = fileURLToPath(import.meta.url);
  assert.match(faultsOf([...url, '--discovery', '--discovery-ca', noPem]).join(), /no PEM certificate/);
  assert.match(faultsOf(['--portal-url', 'https://a.localhost:444', '--discovery']).join(), /on port 444/);
});

test('several nodes need a store, an address and a certificate, and have no UDP ports, overlay or ACME', () => {
  const own = fileURLToPath(import.meta.url);
  const relay = ['--portal-url', 'https://relay.example.com', '--cert-file', own, '--key-file', own];
  const store = ['--store', 'rediss://user:pass@10.0.0.2/1'];
  const config = readRelayConfig([...relay, ...store, '--node-address', '[2001:db8::5]:4019'], {});
  assert.deepEqual(config.cluster, {
    store: {
      kind: 'single',
      options: { username: 'user', password: 'pass', host: '10.0.0.2', port: 6379, db: 1, tls: {} },
    },
    address: { host: '2001:db8::5', port: 4019 },
  });
  const fault = (...flags: string[]) => faultsOf([...relay, ...flags]).join();
  assert.match(fault(...store), /^--node-address \(NODE_ADDRESS\): is needed with --store/);
  assert.match(fault(...store, '--node-address', '10.0.0.5'), /^--node-address/);
  assert.match(fault('--node-address', '10.0.0.5:1'), /is for relays with several nodes/);
  assert.match(fault('--store-ca', own), /^--store-ca/);
  const node = [...store, '--node-address', '10.0.0.5:4019'];
  assert.match(fault('--store', 'http://10.0.0.2', ...node.slice(2)), /^--store \(STORE_URL\): must be redis:/);
  assert.match(fault(...node, '--min-port', '1', '--max-port', '9', '--udp-enabled'), /has no UDP ports/);
  assert.match(fault(...node, '--discovery', '--overlay'), /no part of the overlay/);
  const local = ['--portal-url', 'https://portal.localhost'];
  assert.match(faultsOf([...local, ...node]).join(), /^--cert-file.*the same certificate/);
  assert.match(faultsOf([...local, ...node, '--acme']).join(), /the same certificate/);
});
