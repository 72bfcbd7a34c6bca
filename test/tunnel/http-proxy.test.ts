import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { proxyFor } from '../../src/sdk/transport/http-proxy.js';
import { certificateFiles } from '../support/certificates.js';
import { startResolvingProxy, startTinyproxy } from '../support/http-proxies.js';
import { freePort, startTestRelay, type TestRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, startTcpService, startTunnel, statusWhere } from '../support/tunnel.js';

// Machines that reach the internet through an HTTP proxy alone.

async function relayFor(t: TestContext, overrides: Parameters<typeof startTestRelay>[0] = {}): Promise<TestRelay> {
  const relay = await startTestRelay(overrides);
  t.after(() => relay.stop());
  return relay;
}

/** No system need know names under `localhost`: what tinyproxy is asked for continues to a proxy that does. */
async function upstreamOf(t: TestContext): Promise<string[]> {
  return [`Upstream http 127.0.0.1:${(await startResolvingProxy(t)).port}`];
}

for (const carrier of ['raw', 'ws'] as const) {
  test(`through tinyproxy a tunnel serves visitors (${carrier}); without it, it waits, and is back with it`, async (t) => {
    const relay = await relayFor(t);
    const upstream = await upstreamOf(t);
    const proxy = await startTinyproxy(t, upstream);
    const service = await startHttpService(t, (_request, response) => response.end('by proxy'));
    // The self-probe would ask for the tunnel's own name, too.
    const options = { proxy: `http://127.0.0.1:${proxy.port}`, carrier, probe: false };
    const { tunnel, hostname } = await openTunnel(t, relay, service.port, options);
    const bodies = await Promise.all(Array.from({ length: 10 }, async () => (await get(relay, hostname)).body));
    assert.deepEqual(new Set(bodies), new Set(['by proxy']));
    assert.deepEqual(new Set(proxy.asked()), new Set([new URL(relay.url).host]));
    assert.ok(proxy.asked().length > 10, 'calls and a session for each visitor');

    const lost = statusWhere(tunnel, ({ state }) => state === 'retrying');
    await proxy.stop();
    assert.match((await lost).error?.message ?? '', /cannot reach|connection|closed|lost/);
    const back = new Promise((resolve) => tunnel.once('ready', resolve));
    await startTinyproxy(t, upstream, proxy.port);
    await back;
    assert.equal((await get(relay, hostname)).body, 'by proxy');
  });
}

test('when only the proxy can resolve the relay everything goes through it, self-probe included', async (t) => {
  const certificate = await certificateFiles('relay.example.test');
  t.after(() => certificate.remove());
  const port = await freePort();
  const relay = await relayFor(t, {
    portalUrl: new URL(`https://relay.example.test:${port}`),
    sniPort: port,
    certificateFiles: certificate,
  });
  const proxy = await startResolvingProxy(t);
  const service = await startHttpService(t, (_request, response) => response.end('known to the proxy alone'));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, {
    proxy: `http://127.0.0.1:${proxy.port}`,
    probe: { intervalMs: 1, maxDelayMs: 1 },
  });
  const probed = new Promise<{ result: string }>((resolve) => tunnel.once('probe', resolve));
  assert.equal((await get(relay, hostname)).body, 'known to the proxy alone');
  assert.equal((await probed).result, 'pass');
});

test('the proxy gets user and password; a refusal is reported without the password', async (t) => {
  const relay = await relayFor(t);
  const proxy = await startTinyproxy(t, ['BasicAuth maria s3cret', ...(await upstreamOf(t))]);
  const service = await startHttpService(t, (_request, response) => response.end('let in'));
  const { hostname } = await openTunnel(t, relay, service.port, {
    proxy: `http://maria:s3%63ret@127.0.0.1:${proxy.port}`,
  });
  assert.equal((await get(relay, hostname)).body, 'let in');

  const { tunnel } = startTunnel(t, relay, service.port, { proxy: `http://maria:wr0ng@127.0.0.1:${proxy.port}` });
  const { message } = await statusWhere(tunnel, ({ state }) => state === 'retrying');
  assert.match(message, new RegExp(`the proxy 127\\.0\\.0\\.1:${proxy.port} .*\\(40[17]\\)`));
  assert.doesNotMatch(message, /wr0ng/);
});

test('a proxy that refuses CONNECT is reported', async (t) => {
  const relay = await relayFor(t);
  const proxy = await startTinyproxy(t, ['ConnectPort 1']);
  const { tunnel } = startTunnel(t, relay, 1, { proxy: `http://127.0.0.1:${proxy.port}` });
  const { message } = await statusWhere(tunnel, ({ state }) => state === 'retrying');
  assert.match(message, new RegExp(`the proxy 127\\.0\\.0\\.1:${proxy.port} refuses .*\\(403\\)`));
});

for (const [what, answer] of [
  ['babbles', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['never ends its head', `HTTP/1.1 200 OK\r\nX-Filler: ${'x'.repeat(100_000)}`],
] as const) {
  test(`a proxy that ${what} is disconnected, and retried`, async (t) => {
    const relay = await relayFor(t);
    const proxy = await startTcpService(t, (socket) => socket.once('data', () => socket.write(answer)));
    const { tunnel } = startTunnel(t, relay, 1, { proxy: `http://127.0.0.1:${proxy.port}` });
    const { message } = await statusWhere(tunnel, ({ state }) => state === 'retrying');
    assert.match(message, /cannot reach the proxy 127\.0\.0\.1/);
  });
}

test('an unsupported proxy URL is refused in one line without its password', async (t) => {
  const relay = await relayFor(t);
  const { tunnel } = startTunnel(t, relay, 1, { proxy: 'socks5://maria:s3cret@127.0.0.1:1080' });
  const { error } = await tunnel.closed;
  assert.match(error?.message ?? '', /http:\/\/ or https:\/\//);
  assert.doesNotMatch(error?.message ?? '', /s3cret/);
});

test('the proxy of the environment is used, except for this machine and NO_PROXY', (t) => {
  const names = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'];
  const before = names.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) delete process.env[name];
  const relay = new URL('https://relay.example.com');
  assert.equal(proxyFor(relay), undefined);
  process.env['HTTPS_PROXY'] = 'http://proxy.example.com:3128';
  assert.equal(proxyFor(relay)?.host, 'proxy.example.com:3128');
  assert.equal(proxyFor(relay, false), undefined);
  assert.equal(proxyFor(relay, 'http://other.example.com')?.host, 'other.example.com');
  for (const own of ['https://portal.localhost:8443', 'https://localhost', 'https://127.0.0.1:1', 'https://[::1]']) {
    assert.equal(proxyFor(new URL(own)), undefined, own);
  }
  process.env['NO_PROXY'] = '.example.com';
  assert.equal(proxyFor(relay), undefined);
});
