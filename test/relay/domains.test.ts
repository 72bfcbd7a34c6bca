import assert from 'node:assert/strict';
import { type RemoteInfo, type Socket as UdpSocket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { Wallet } from 'ethers';
import { adminOf, leasePath } from '../support/admin.js';
import { type HeldLease, call, freshWallet, openSession, register, sessionHeaders } from '../support/by-hand.js';
import { type TestDns, startDns } from '../support/dns.js';
import { type TestRelay, relayFor, sharedRelay, startTestRelay } from '../support/relay.js';
import { endVisit, handshake, readOpening, signCall, visit } from '../support/tenant.js';
import { until } from '../support/until.js';

// Leases of domains that are the identity's own, and names with certificates of their own.

const codeOf = async (registering: Promise<unknown>): Promise<string> =>
  await registering.then(
    () => 'none',
    (error: Error) => /"code":"(\w+)"/.exec(error.message)?.[1] ?? error.message,
  );
const renew = async (relay: TestRelay, { token }: HeldLease) =>
  await call(relay, 'POST', '/sdk/renew', { body: {}, token });
const status = async (relay: TestRelay, { token, hostname }: HeldLease) =>
  await call(relay, 'GET', `/tunnel/status?hostname=${hostname}`, { token });
const proofOf = (wallet: Wallet) => `portal-identity=${wallet.address}`;

async function withDomains(t: TestContext, overrides = {}): Promise<{ relay: TestRelay; dns: TestDns }> {
  const dns = await startDns(t);
  const relay = await relayFor(t, { domains: true, dnsServers: [dns.address], ...overrides });
  return { relay, dns };
}

async function ready(t: TestContext, relay: TestRelay, lease: HeldLease) {
  const { socket, status } = await openSession(relay, sessionHeaders(lease.token));
  t.after(() => socket.destroy());
  assert.equal(status, 200);
  return socket.on('error', () => {});
}

/** The relay has ended a connection. */
async function over(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve) =>
    socket
      .resume()
      .once('end', resolve)
      .once('close', () => resolve()),
  );
}

/** The alert that a visitor gets (RFC 8446 6): its description. */
async function alertFor(relay: TestRelay, hostname: string, ALPNProtocols: string[]): Promise<string> {
  const visitor = visit(relay, hostname, { ALPNProtocols });
  const [error] = (await once(visitor, 'error')) as [NodeJS.ErrnoException];
  visitor.destroy();
  return error.code ?? error.message;
}

test('a domain whose TXT record names the identity is leased, and its visitors reach the tunnel', async (t) => {
  const { relay, dns } = await withDomains(t);
  const wallet = freshWallet();
  await dns.addTxt(
    '_portal.shop.example.com',
    proofOf(wallet).toUpperCase().replace('PORTAL-IDENTITY', 'portal-identity'),
  );
  const lease = await register(relay, { name: 'Shop.Example.com', wallet });
  assert.equal(lease.hostname, 'shop.example.com');
  const session = await ready(t, relay, lease);
  const visitor = visit(relay, lease.hostname);
  await readOpening(session);
  visitor.destroy();
  assert.equal((await renew(relay, lease)).status, 200);
  const { data } = (await status(relay, lease)).body;
  assert.deepEqual([data.hostname, data.own_certificate], ['shop.example.com', true]);
});

test('a domain without the record, or with the record of another, is not proven, and the answer says what to set', async (t) => {
  const { relay, dns } = await withDomains(t);
  const wallet = freshWallet();
  await dns.addTxt('_portal.other.example.com', proofOf(freshWallet()));
  await dns.addTxt('_portal.garbled.example.com', `portal-identity=${wallet.address} `.repeat(2));
  for (const name of ['none.example.com', 'other.example.com', 'garbled.example.com']) {
    await assert.rejects(
      register(relay, { name, wallet }),
      new RegExp(`domain_not_proven.*TXT record _portal.${name} to portal-identity=${wallet.address}`),
    );
  }
  // The record of the parent says nothing about the child.
  await dns.addTxt('_portal.example.com', proofOf(wallet));
  assert.equal(await codeOf(register(relay, { name: 'none.example.com', wallet })), 'domain_not_proven');
});

test('a domain may name several identities; it belongs to the one that has it until its record is gone', async (t) => {
  const { relay, dns } = await withDomains(t);
  const [first, second] = [freshWallet(), freshWallet()];
  const [name, record] = ['shop.example.com', '_portal.shop.example.com'];
  await dns.addTxt(record, 'v=spf1 -all');
  await dns.addTxt(record, proofOf(first));
  await dns.addTxt(record, proofOf(second));
  const held = await register(relay, { name, wallet: first });
  assert.equal(await codeOf(register(relay, { name, wallet: second })), 'hostname_conflict');
  assert.equal((await renew(relay, held)).status, 200);
  await dns.clearTxt(record);
  await dns.addTxt(record, proofOf(second));
  const session = await ready(t, relay, held);
  const left = over(session);
  const taken = await register(relay, { name, wallet: second });
  await left;
  assert.equal((await renew(relay, held)).body.error.code, 'lease_not_found');
  assert.equal((await renew(relay, taken)).status, 200);
  assert.equal(await codeOf(register(relay, { name, wallet: first })), 'domain_not_proven');
});

test('a domain that is reserved after an expiry passes to an identity that its records name alone', async (t) => {
  const { relay, dns } = await withDomains(t);
  const [first, second] = [freshWallet(), freshWallet()];
  const [name, record] = ['shop.example.com', '_portal.shop.example.com'];
  await dns.addTxt(record, proofOf(first));
  await dns.addTxt(record, proofOf(second));
  const short = await register(relay, { name, wallet: first, ttl: 1 });
  await until(async () => (await renew(relay, short)).status !== 200 || Date.now() > short.expiresAt + 2_000);
  await until(() => Date.now() > short.expiresAt + 3_000);
  assert.equal(await codeOf(register(relay, { name, wallet: second })), 'hostname_conflict');
  await dns.clearTxt(record);
  await dns.addTxt(record, proofOf(second));
  await register(relay, { name, wallet: second });
});

test('the names of the relay itself are no domains, nor is what is no host name', async (t) => {
  const { relay } = await withDomains(t, { apiHosts: ['api.example.com'] });
  const invalid = [
    relay.rootHost,
    `sub.${relay.rootHost}`,
    `a.b.${relay.rootHost}`,
    'api.example.com',
    '127.0.0.1',
    '1.2.3',
    'a..example.com',
    'example.com.',
    '-a.example.com',
    'a-.example.com',
    'xn--a.example.com',
    `${'a'.repeat(64)}.example.com`,
    `${'a.'.repeat(120)}example.com`,
    '_portal.example.com',
    'exa mple.com',
  ];
  for (const name of invalid) assert.equal(await codeOf(register(relay, { name })), 'invalid_request', name);
});

test('a relay whose operator has domains off takes none, and says so before anything is signed', async (t) => {
  const relay = await relayFor(t);
  assert.deepEqual((await call(relay, 'GET', '/sdk/domain')).body.data.features, []);
  const identity = { name: 'shop.example.com', address: freshWallet().address };
  const answer = await call(relay, 'POST', '/sdk/register/challenge', { body: { identity } });
  assert.deepEqual([answer.status, answer.body.error.code], [503, 'feature_unavailable']);
});

test('a lease ends once the record of its domain is gone', async (t) => {
  const { relay, dns } = await withDomains(t, { domainRecheckIntervalMs: 600 });
  const wallet = freshWallet();
  for (const name of ['gone', 'kept']) await dns.addTxt(`_portal.${name}.example.com`, proofOf(wallet));
  const gone = await register(relay, { name: 'gone.example.com', wallet, ttl: 600 });
  const kept = await register(relay, { name: 'kept.example.com', wallet, ttl: 600 });
  const session = await ready(t, relay, gone);
  const left = over(session);
  await dns.clearTxt('_portal.gone.example.com');
  await left;
  assert.equal((await renew(relay, gone)).body.error.code, 'lease_not_found');
  assert.equal((await renew(relay, kept)).status, 200);
});

/** A DNS server that holds each query until told to answer: with SERVFAIL. */
async function holdingDns(t: TestContext) {
  const server: UdpSocket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const queries: [Buffer, RemoteInfo][] = [];
  let isHolding = true;
  const fail = (query: Buffer, { port, address }: RemoteInfo) => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8182, 2);
    server.send(answer, port, address);
  };
  server.on('message', (query, from) => {
    queries.push([query, from]);
    if (!isHolding) fail(query, from);
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries,
    release() {
      isHolding = false;
      for (const [query, from] of queries) fail(query, from);
    },
  };
}

test('lookups are bounded by source, and a DNS server that fails proves nothing', async (t) => {
  const dns = await holdingDns(t);
  const relay = await relayFor(t, { domains: true, dnsServers: [dns.address] });
  const pending = [1, 2, 3, 4].map((each) => codeOf(register(relay, { name: `shop${each}.example.com` })));
  await until(() => dns.queries.length >= 4);
  assert.equal(await codeOf(register(relay, { name: 'shop5.example.com' })), 'rate_limited');
  dns.release();
  assert.deepEqual(
    await Promise.all(pending),
    Array.from({ length: 4 }, () => 'domain_not_proven'),
  );
  // The slots are free again.
  assert.equal(await codeOf(register(relay, { name: 'shop6.example.com' })), 'domain_not_proven');
});

test('a lease of a domain counts and is banned like any other', async (t) => {
  const operator = freshWallet();
  const { relay, dns } = await withDomains(t, { adminWallets: [operator.address], maxLeasesPerWallet: 1 });
  const admin = await adminOf(relay, operator);
  const wallet = freshWallet();
  for (const name of ['a', 'b']) await dns.addTxt(`_portal.${name}.example.com`, proofOf(wallet));
  const lease = await register(relay, { name: 'a.example.com', wallet });
  assert.equal(await codeOf(register(relay, { name: 'b.example.com', wallet })), 'rate_limited');
  const [listed] = (await admin.snapshot()).leases;
  assert.equal(listed.hostname, 'a.example.com');
  assert.equal((await admin.post(leasePath({ name: lease.name, address: wallet.address }, 'ban'))).status, 200);
  assert.equal((await renew(relay, lease)).body.error.code, 'lease_rejected');
  assert.equal(await codeOf(register(relay, { name: 'a.example.com', wallet })), 'lease_rejected');
});

const relay = sharedRelay({ ownCertificates: true });

test('the challenge connection of ACME only reaches a tunnel with a certificate of its own', async (t) => {
  const [usual, own] = [
    await register(relay, { name: 'usual', ttl: 600 }),
    await register(relay, { name: 'own', ttl: 600, ownCertificate: true }),
  ];
  const usualSession = await ready(t, relay, usual);
  const ownSession = await ready(t, relay, own);
  for (const alpn of [['acme-tls/1'], ['http/1.1', 'acme-tls/1']])
    assert.equal(await alertFor(relay, usual.hostname, alpn), 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  const challenge = visit(relay, own.hostname, { ALPNProtocols: ['acme-tls/1'] });
  await readOpening(ownSession);
  challenge.destroy();
  const visitor = visit(relay, usual.hostname, { ALPNProtocols: ['http/1.1'] });
  await readOpening(usualSession);
  visitor.destroy();
  assert.equal((await status(relay, usual)).body.data.own_certificate, false);
  assert.equal((await status(relay, own)).body.data.own_certificate, true);
});

test('the relay signs no handshake for a name that has a certificate of its own', async () => {
  const lease = await register(relay, { name: 'unsigned', ttl: 600, ownCertificate: true });
  const visited = await handshake(relay, lease, ({ body }) => signCall(relay, lease.token, body));
  assert.deepEqual([visited.answer.status, visited.answer.body.error.code], [400, 'invalid_request']);
  assert.match(visited.answer.body.error.message, /certificate of its own/);
  await endVisit(visited);
});

test('tunnels of a group agree on whose certificate it is', async () => {
  const [name, wallet, group] = ['agreed', freshWallet(), 'web'];
  await register(relay, { name, wallet, group, ownCertificate: true });
  assert.equal(await codeOf(register(relay, { name, wallet, group })), 'invalid_request');
  assert.equal(await codeOf(register(relay, { name, wallet, group, ownCertificate: true })), 'none');
});

test('without the operator’s leave no name under the root host has a certificate of its own', async (t) => {
  const strict = await relayFor(t);
  assert.equal(await codeOf(register(strict, { name: 'own', ownCertificate: true })), 'feature_unavailable');
});

test('a domain and its certificate are remembered over a restart, whatever DNS says meanwhile', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'portal-relay-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const dns = await startDns(t);
  const settings = { domains: true, dnsServers: [dns.address], stateDir };
  const before = await startTestRelay(settings);
  const wallet = freshWallet();
  await dns.addTxt('_portal.shop.example.com', proofOf(wallet));
  const lease = await register(before, { name: 'shop.example.com', wallet, ttl: 600 });
  await before.stop();
  const after = await relayFor(t, { ...settings, sniPort: before.publicPort });
  await dns.clearTxt('_portal.shop.example.com');
  const session = await ready(t, after, lease);
  const challenge = visit(after, lease.hostname, { ALPNProtocols: ['acme-tls/1'] });
  await readOpening(session);
  challenge.destroy();
  assert.equal((await renew(after, lease)).status, 200);
});
