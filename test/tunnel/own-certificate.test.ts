import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import { type ExposeOptions, identityFromPrivateKey } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { type TestDns, startDns } from '../support/dns.js';
import { type TestCa, startPebble } from '../support/pebble.js';
import { type TestRelay, relayFor } from '../support/relay.js';
import { get, openTunnel, startHttpService, startTunnel, statusWhere, temporaryDirectory } from '../support/tunnel.js';

interface Place {
  relay: TestRelay;
  dns: TestDns;
  ca: TestCa;
  /** Options of a tunnel for the domain, whose identity is proven. */
  options(domain: string): Promise<Partial<ExposeOptions>>;
}

/** A relay that takes domains, a DNS server and a CA. */
async function setUp(t: TestContext): Promise<Place> {
  const dns = await startDns(t);
  const relay = await relayFor(t, { domains: true, ownCertificates: true, dnsServers: [dns.address] });
  const ca = await startPebble(t, { dns, tlsPort: relay.publicPort });
  const certificateFolder = join(temporaryDirectory(t), 'certificates');
  const wallet = freshWallet();
  const acme = { directory: ca.directory, ca: ca.apiCa };
  return {
    relay,
    dns,
    ca,
    async options(domain) {
      await dns.addTxt(`_portal.${domain}`, `portal-identity=${wallet.address}`);
      return { domain, identity: identityFromPrivateKey(wallet.privateKey), acme, certificateFolder, http: true };
    },
  };
}

const greeting = async (t: TestContext) =>
  (await startHttpService(t, (request, response) => response.end(`hello ${request.headers.host}`))).port;

/** A visitor's handshake, whose certificate must be trusted by a root. */
async function visitWith(
  relay: TestRelay,
  hostname: string,
  root: string,
  ALPNProtocols: string[],
): Promise<TLSSocket> {
  const options = { host: '127.0.0.1', port: relay.publicPort, servername: hostname, ca: root, ALPNProtocols };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  return socket;
}

test('a domain is served with a certificate that the tunnel has ordered itself, and whose key the relay never had', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const asked = await options('shop.example.test');
  const { hostname, url, statuses } = await openTunnel(t, relay, await greeting(t), asked);
  assert.equal(hostname, 'shop.example.test');
  assert.equal(url, `https://shop.example.test:${relay.publicPort}`);
  const answer = await get({ ...relay, ca: ca.root }, hostname, '/');
  assert.equal(answer.body, `hello shop.example.test:${relay.publicPort}`);
  const folder = asked.certificateFolder as string;
  const kept = join(folder, 'shop.example.test.pem');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  assert.ok(new X509Certificate(readFileSync(kept)).checkHost('shop.example.test'));
  assert.equal(readdirSync(folder).length, 2, 'a certificate and an account');
  const told = statuses.filter(({ state }) => state === 'certificate').map(({ message }) => message);
  assert.match(told[0] as string, /^ordering a certificate for shop.example.test from localhost:\d+, accepting data:/);
  assert.match(told[1] as string, /^shop.example.test has a certificate of its own, until \d{4}-/);
});

test('a kept certificate serves again at once, without the CA', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const asked = await options('shop.example.test');
  const first = await openTunnel(t, relay, await greeting(t), asked);
  await first.tunnel.close();
  const again = await openTunnel(t, relay, await greeting(t), {
    ...asked,
    acme: { directory: 'https://127.0.0.1:9/dir' },
  });
  assert.equal((await get({ ...relay, ca: ca.root }, again.hostname)).status, 200);
  assert.deepEqual(
    again.statuses.filter(({ state }) => state === 'certificate'),
    [],
  );
});

test('a name under the root host has a certificate of its own where the operator allows it', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const asked = { ...(await options('unused.example.test')), domain: undefined, name: 'own', ownCertificate: true };
  const { hostname } = await openTunnel(t, relay, await greeting(t), asked);
  assert.equal((await get({ ...relay, ca: ca.root }, hostname)).status, 200);
});

test('a domain without its TXT record is waited for, and the status says what to set', async (t) => {
  const { relay, dns, ca } = await setUp(t);
  const wallet = freshWallet();
  const { tunnel, statuses } = startTunnel(t, relay, await greeting(t), {
    domain: 'shop.example.test',
    identity: identityFromPrivateKey(wallet.privateKey),
    acme: { directory: ca.directory, ca: ca.apiCa },
    certificateFolder: temporaryDirectory(t),
  });
  const waiting = await statusWhere(tunnel, ({ state }) => state === 'retrying');
  const record = `_portal.shop.example.test to portal-identity=${wallet.address}`;
  assert.ok(waiting.message.includes(record), waiting.message);
  assert.ok((waiting.retryInMs ?? 0) >= 30_000);
  assert.ok(
    statuses.every(({ state }) => state !== 'certificate'),
    'no certificate is ordered before',
  );
  await dns.clearTxt('nothing');
});

test('a CA that does not reach the tunnel is tried again later, and the status says why', async (t) => {
  const dns = await startDns(t);
  const relay = await relayFor(t, { domains: true, dnsServers: [dns.address] });
  // It looks for the challenge where nothing listens.
  const ca = await startPebble(t, { dns, tlsPort: 9 });
  const wallet = freshWallet();
  await dns.addTxt('_portal.shop.example.test', `portal-identity=${wallet.address}`);
  const { tunnel } = startTunnel(t, relay, await greeting(t), {
    domain: 'shop.example.test',
    identity: identityFromPrivateKey(wallet.privateKey),
    acme: { directory: ca.directory, ca: ca.apiCa },
    certificateFolder: temporaryDirectory(t),
  });
  const failed = await statusWhere(tunnel, ({ state, error }) => state === 'certificate' && error !== undefined);
  assert.match(failed.message, /no certificate for shop.example.test: the CA refuses: .*; trying again in \d+ min/);
  // Visitors get an alert meanwhile, and the relay serves on.
  const visitor = connect({ host: '127.0.0.1', port: relay.publicPort, servername: 'shop.example.test', ca: ca.root });
  const [error] = (await once(visitor, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR');
});

test('a CA that asks for an external account gets it', async (t) => {
  const dns = await startDns(t);
  const relay = await relayFor(t, { domains: true, dnsServers: [dns.address] });
  const eabKid = { id: 'kid-1', key: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' };
  const ca = await startPebble(t, { dns, tlsPort: relay.publicPort, eabKid });
  const wallet = freshWallet();
  await dns.addTxt('_portal.shop.example.test', `portal-identity=${wallet.address}`);
  const { hostname } = await openTunnel(t, relay, await greeting(t), {
    domain: 'shop.example.test',
    identity: identityFromPrivateKey(wallet.privateKey),
    acme: {
      directory: ca.directory,
      ca: ca.apiCa,
      email: 'owner@example.test',
      externalAccount: { kid: eabKid.id, hmacKey: eabKid.key },
    },
    certificateFolder: temporaryDirectory(t),
  });
  assert.equal((await get({ ...relay, ca: ca.root }, hostname)).status, 200);
});

test('visitors of a domain may speak HTTP/2, and of bytes HTTP/1.1 alone', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const { hostname } = await openTunnel(t, relay, await greeting(t), await options('shop.example.test'));
  for (const [offered, chosen] of [
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
  ] as const) {
    const socket = await visitWith(relay, hostname, ca.root, [...offered]);
    assert.equal(socket.alpnProtocol, chosen);
    socket.destroy();
  }
  const bytes = await openTunnel(t, relay, await greeting(t), { ...(await options('raw.example.test')), http: false });
  const socket = await visitWith(relay, bytes.hostname, ca.root, ['h2', 'http/1.1']);
  assert.equal(socket.alpnProtocol, 'http/1.1');
  socket.destroy();
});

test('once a challenge is over nobody gets its certificate', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const { hostname } = await openTunnel(t, relay, await greeting(t), await options('shop.example.test'));
  const socket = connect({
    host: '127.0.0.1',
    port: relay.publicPort,
    servername: hostname,
    ca: ca.root,
    ALPNProtocols: ['acme-tls/1'],
  });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});
