import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import { promisify } from 'node:util';
import { type ExposeOptions, identityFromPrivateKey } from '../../src/tunnel/index.js';
import { renewalTime } from '../../src/acme/renewal-time.js';
import { freshWallet } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';
import { type TestDns, startDns } from '../support/dns.js';
import { startPebble, type TestCa, withRenewalInfo } from '../support/pebble.js';
import { type TestRelay, relayFor } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, startHttpService, startTunnel, statusWhere, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

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
  const [ofCa = ''] = readdirSync(folder);
  const kept = join(folder, ofCa, 'shop.example.test.pem');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  assert.ok(new X509Certificate(readFileSync(kept)).checkHost('shop.example.test'));
  assert.equal(readdirSync(join(folder, ofCa)).length, 2, 'a certificate and an account');
  const told = statuses.filter(({ state }) => state === 'certificate').map(({ message }) => message);
  assert.match(told[0] as string, /^ordering a certificate for shop.example.test from localhost:\d+, accepting data:/);
  assert.match(
    told[1] as string,
    /^shop.example.test has a certificate of its own, until \d{4}-\S+, from the account https:\/\/localhost:\d+\/my-account\//,
  );
});

test('a kept certificate serves again at once, without the CA', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const asked = await options('shop.example.test');
  const first = await openTunnel(t, relay, await greeting(t), asked);
  await first.tunnel.close();
  const again = await openTunnel(t, relay, await greeting(t), {
    ...asked,
    // Its API is not trusted any more.
    acme: { directory: ca.directory },
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

test('a certificate is renewed when the CA suggests it, and visitors get the new one', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const hourMs = 3_600_000;
  const { asked, directory } = await withRenewalInfo(t, ca, ({ length }) =>
    length === 1 ? [-2 * hourMs, -hourMs] : [hourMs, 2 * hourMs],
  );
  const acme = { directory, ca: ca.apiCa, times: { leastRenewalMs: 0 } };
  const { hostname } = await openTunnel(t, relay, await greeting(t), { ...(await options('shop.example.test')), acme });
  const serials = new Set<string>();
  await until(async () => {
    const socket = await visitWith(relay, hostname, ca.root, ['http/1.1']);
    serials.add(socket.getPeerX509Certificate()!.serialNumber);
    socket.destroy();
    return asked.length === 2 && serials.size > 0;
  });
  const socket = await visitWith(relay, hostname, ca.root, ['http/1.1']);
  const { serialNumber, raw } = socket.getPeerX509Certificate()!;
  socket.destroy();
  // What openssl calls it: the CA's key, and the serial number.
  const { stdout } = await promisify(execFile)(await requireTool('openssl'), [
    'x509',
    '-in',
    await written(t, raw),
    '-inform',
    'DER',
    '-noout',
    '-ext',
    'authorityKeyIdentifier',
  ]);
  const keyId = Buffer.from(/((?:[0-9A-F]{2}:)+[0-9A-F]{2})/.exec(stdout)![1]!.replaceAll(':', ''), 'hex');
  const serial = Buffer.from(serialNumber, 'hex');
  const integer = serial[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), serial]) : serial;
  assert.equal(asked[1], `${keyId.toString('base64url')}.${integer.toString('base64url')}`);
  assert.notEqual(asked[0], asked[1]);
});

async function written(t: TestContext, bytes: Buffer): Promise<string> {
  const path = join(temporaryDirectory(t), 'certificate.der');
  await writeFile(path, bytes);
  return path;
}

test('a CA that always suggests to renew is not asked for one certificate after the other', async (t) => {
  const { relay, ca, options } = await setUp(t);
  const { asked, directory } = await withRenewalInfo(t, ca, () => [-2_000, -1_000]);
  // It looks often, which without a bound would be an order each.
  const acme = { directory, ca: ca.apiCa, times: { checkIntervalMs: 50 } };
  const { statuses } = await openTunnel(t, relay, await greeting(t), { ...(await options('shop.example.test')), acme });
  await until(() => asked.length >= 5);
  const orders = () => statuses.filter(({ message }) => message.startsWith('ordering')).length;
  assert.equal(orders(), 1);
});

test('a certificate is renewed though the relay that it was first ordered through has been left', async (t) => {
  const dns = await startDns(t);
  const settings = { domains: true, dnsServers: [dns.address] };
  const [first, second] = [await relayFor(t, settings), await relayFor(t, settings)];
  const ca = await startPebble(t, { dns, tlsPort: second.publicPort });
  let isDue = false;
  const hourMs = 3_600_000;
  const { directory } = await withRenewalInfo(t, ca, () => (isDue ? [-2_000, -1_000] : [hourMs, 2 * hourMs]));
  const wallet = freshWallet();
  await dns.addTxt('_portal.shop.example.test', `portal-identity=${wallet.address}`);
  const { tunnel, statuses } = startTunnel(t, first, await greeting(t), {
    relay: [first.url, second.url],
    ca: first.ca + second.ca,
    domain: 'shop.example.test',
    identity: identityFromPrivateKey(wallet.privateKey),
    acme: { directory, ca: ca.apiCa, times: { leastRenewalMs: 0, firstRetryMs: 100, checkIntervalMs: 100 } },
    certificateFolder: temporaryDirectory(t),
  });
  const got = () => statuses.filter(({ message }) => message.includes('has a certificate of its own')).length;
  await until(() => got() === 1);
  tunnel.setRelays({ relay: second.url });
  await until(() => tunnel.places.length === 1);
  isDue = true;
  await until(() => got() > 1);
});

test('a certificate of one CA is not taken for that of another', async (t) => {
  const { relay, dns, ca, options } = await setUp(t);
  const asked = await options('shop.example.test');
  const first = await openTunnel(t, relay, await greeting(t), asked);
  await first.tunnel.close();
  const other = await startPebble(t, { dns, tlsPort: relay.publicPort });
  const acme = { directory: other.directory, ca: other.apiCa };
  const { hostname } = await openTunnel(t, relay, await greeting(t), { ...asked, acme });
  assert.equal((await get({ ...relay, ca: other.root }, hostname)).status, 200);
  await assert.rejects(get({ ...relay, ca: ca.root }, hostname));
});

test('a certificate is renewed in time, also where the CA suggests a time after its end', () => {
  const day = 86_400_000;
  const from = Date.parse('2026-01-01T00:00:00Z');
  const leaf = { validFrom: new Date(from).toISOString(), validTo: new Date(from + 90 * day).toISOString() };
  const at = (window?: [number, number]) =>
    (renewalTime(
      leaf as X509Certificate,
      window && { start: from + window[0] * day, end: from + window[1] * day, retryAfterMs: undefined },
      0.5,
    ) -
      from) /
    day;
  assert.equal(at(), 60);
  assert.equal(at([30, 40]), 35);
  assert.equal(at([100, 200]), 81);
});

test('a certificate of files is served, and a new pair of files is taken over', async (t) => {
  const relay = await relayFor(t, { ownCertificates: true });
  const [first, second] = [
    await certificateFiles('files.portal.localhost'),
    await certificateFiles('files.portal.localhost'),
  ];
  for (const { remove } of [first, second]) t.after(remove);
  const paths = { cert: first.certFile, key: first.keyFile };
  const { hostname } = await openTunnel(t, relay, await greeting(t), { name: 'files', ownCertificate: paths });
  assert.equal((await get({ ...relay, ca: first.certPem }, hostname)).status, 200);
  await copyFile(second.certFile, first.certFile);
  await copyFile(second.keyFile, first.keyFile);
  const isTaken = async () => await get({ ...relay, ca: second.certPem }, hostname).catch(() => undefined);
  assert.equal((await until(isTaken)).status, 200);
});

test('files that cannot be used are refused at the start, and a certificate of another name is told', async (t) => {
  const relay = await relayFor(t, { ownCertificates: true });
  const other = await certificateFiles('other.portal.localhost');
  t.after(other.remove);
  const mine = await certificateFiles('mine.portal.localhost');
  t.after(mine.remove);
  const start = async (cert: string, key: string) => {
    const { tunnel } = startTunnel(t, relay, await greeting(t), { name: 'mine', ownCertificate: { cert, key } });
    return tunnel;
  };
  for (const [cert, key, fault] of [
    ['/nowhere.pem', mine.keyFile, /^\/nowhere.pem: ENOENT$/],
    [mine.certFile, other.keyFile, /the key file does not fit the first certificate/],
    [mine.keyFile, mine.keyFile, /holds no PEM certificate/],
  ] as const)
    await assert.rejects((await start(cert, key)).ready(), { name: 'UsageError', message: fault });
  const told = await statusWhere(await start(other.certFile, other.keyFile), ({ state }) => state === 'certificate');
  assert.match(told.message, /is not for mine.portal.localhost; visitors cannot be served/);
});

test('options that contradict each other are refused in one line', async (t) => {
  const relay = await relayFor(t);
  for (const [options, fault] of [
    [{ domain: 'shop.example.com', name: 'shop' }, /a name or a domain, not both/],
    [{ domain: 'shop' }, /not a domain: "shop"/],
    [{ domain: '192.0.2.1' }, /not a domain/],
    [{ domain: 'ä.example.com' }, /not a domain/],
    [{ domain: 'shop.example.com', ownCertificate: false }, /needs a certificate of its own/],
    [{ domain: 'shop.example.com', group: 'web' }, /cannot order one certificate together/],
    [{ ownCertificate: true, acme: { directory: 'http://ca.example' } }, /not the https URL/],
    [{ ownCertificate: true, acme: { email: 'a@b.c?to=x' } }, /not an email address/],
    [{ ownCertificate: true, target: undefined, tcp: 22 }, /for an HTTPS target/],
  ] as [Partial<ExposeOptions>, RegExp][]) {
    const { tunnel } = startTunnel(t, relay, 3000, options);
    await assert.rejects(tunnel.ready(), { name: 'UsageError', message: fault });
  }
});
