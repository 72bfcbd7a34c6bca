import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, readRelayConfig } from '../../src/relay/config.js';

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
    assert.match(faultsOf(['--config', file]).join(), /^admin: not a setting/);
    writeFileSync(file, 'portal_url = ');
    assert.equal(faultsOf(['--config', file, '--portal-url', 'https://a.localhost']).length, 1);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a variable set to nothing counts as not set', () => {
  const names = ['API_PORT', 'SNI_PORT', 'STATE_DIR', 'HOST', 'LOG_LEVEL', 'DIGEST_SIGNING', 'PORTAL_CONFIG'];
  const argv = ['--portal-url', 'https://a.localhost'];
  assert.deepEqual(
    readRelayConfig(argv, Object.fromEntries(names.map((name) => [name, '']))),
    readRelayConfig(argv, {}),
  );
});

test('every fault is told, a line each, by flag and variable', () => {
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

test('what is not built yet cannot be turned on by mistake', () => {
  const url = ['--portal-url', 'https://a.localhost'];
  assert.match(faultsOf(url, { ADMIN_WALLETS: '0x1' }).join(), /^ADMIN_WALLETS: /);
  assert.match(faultsOf(url, { UDP_ENABLED: 'true' }).join(), /^UDP_ENABLED: /);
  assert.deepEqual(faultsOf(url, { UDP_ENABLED: 'false', DISCOVERY: '0' }), []);
  assert.equal(faultsOf([...url, '--no-such-flag']).length, 1);
});
