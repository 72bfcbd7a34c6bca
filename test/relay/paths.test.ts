import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { Wallet } from 'ethers';
import { WebSocket } from 'ws';
import { encodeHopHeader, hopPort, peerApiPort } from '../../src/protocol/hop-header.js';
import { openHello } from '../../src/streams/sealed-hello.js';
import { parseOpening } from '../../src/protocol/session-opening.js';
import { signDescriptor, type WireDescriptor } from '../../src/sdk/discovery/relay-descriptor.js';
import { adminOf, leasePath } from '../support/admin.js';
import {
  call,
  freshWallet,
  type HeldLease,
  openSession,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { listed } from '../support/discovery.js';
import { type MeshRelay, startLoopbackMesh } from '../support/loopback-overlay.js';
import { parseScrape } from '../support/prometheus.js';
import { relayFor } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';
import { until } from '../support/until.js';

// Paths of relays by hand, from docs/protocol.md. The overlay is the loopback network.

const token = () => randomBytes(32);
const text = (bytes: Buffer) => bytes.toString('base64url');
const descriptorOf = async (relay: MeshRelay) =>
  (await listed(relay)).find(({ address }) => address.toLowerCase() === relay.signer)!;

interface Path {
  leases: HeldLease[];
  /** What each but the entry accepts. */
  tokens: Buffer[];
}

/** Registers with every relay, the last one first. */
async function registerPath(
  relays: MeshRelay[],
  options: { sessionWait?: number; passAddress?: boolean; helloKey?: Buffer; name?: string } = {},
): Promise<Path> {
  const { sessionWait, passAddress, helloKey, name = 'entry' } = options;
  const tokens = relays.map(token);
  const leases: HeldLease[] = [];
  for (const [index, relay] of [...relays.entries()].reverse()) {
    const next = relays[index + 1];
    const forward = next && {
      descriptor: await descriptorOf(next),
      token: text(tokens[index + 1]!),
      pass_visitor_address: passAddress,
      hello_key: index === 0 ? helloKey?.toString('base64url') : undefined,
    };
    const accept = index === 0 ? undefined : { token: text(tokens[index]!) };
    const hop = { accept, forward };
    leases.unshift(
      await register(relay, {
        name:
          index === 0
            ? name
            : `h-${text(token())
                .toLowerCase()
                .replace(/[^a-z0-9]/g, 'x')
                .slice(0, 12)}`,
        // Nothing renews it.
        ttl: 600,
        sessionWait,
        hop,
      }),
    );
  }
  return { leases, tokens: tokens.slice(1) };
}

/** The alert that a visitor gets (RFC 8446 B.2). */
async function alertOf(visitor: Socket): Promise<number> {
  const record = await readBytes(visitor, 7);
  assert.deepEqual([record[0], record.readUInt16BE(3)], [21, 2]);
  return record[6]!;
}
const internalError = 80;

/** A connection of another relay, or of somebody who says so. */
async function dialHop(t: TestContext, { address }: MeshRelay, port = hopPort): Promise<Socket> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}
const headerOf = (token: Buffer, connectionId = randomBytes(16)) =>
  encodeHopHeader({ token, binding: randomBytes(16), connectionId });
/** What comes back, up to the end. */
async function answerOf(socket: Socket): Promise<string> {
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('hex')));
  // A reset is an end, too.
  if (!socket.closed) await Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => undefined);
  return answer;
}
const refusal = { unknownToken: '02', noSession: '03', loop: '04' };

test('a visitor of the entry reaches a session of the last relay, with the binding of the entry', async (t) => {
  for (const count of [2, 3]) {
    const { relays } = await startLoopbackMesh(t, count);
    const [entry, last] = [relays[0]!, relays.at(-1)!];
    const { leases } = await registerPath(relays);
    const { socket, head } = await openSession(last, {
      ...sessionHeaders(leases.at(-1)!.token),
      'X-Portal-Proxy': '2',
    });
    assert.doesNotMatch(head, /X-Portal-Sign/i);
    t.after(() => socket.destroy());
    const visitor = await dialPublic(entry);
    t.after(() => visitor.destroy());
    const hello = await clientHello(leases[0]!.hostname);
    visitor.write(hello);
    const { binding } = await readOpening(socket);
    // No address was passed on: a LOCAL header.
    const header = await readBytes(socket, 16);
    assert.equal(header.toString('hex'), '0d0a0d0a000d0a515549540a20000000');
    assert.deepEqual(await readBytes(socket, hello.length), hello);
    socket.write('from the tunnel');
    assert.equal((await readBytes(visitor, 15)).toString(), 'from the tunnel');
    // Each direction ends by itself.
    visitor.end('the rest');
    assert.equal((await readBytes(socket, 8)).toString(), 'the rest');
    if (!socket.readableEnded) await once(socket, 'end');
    socket.end('and more');
    assert.equal((await readBytes(visitor, 8)).toString(), 'and more');
    if (!visitor.readableEnded) await once(visitor, 'end');
    // The entry knows the binding, and nobody else: this transcript is no handshake.
    const body = {
      key_id: 'relay-cert',
      signature_scheme: 'ECDSA_SECP256R1_SHA256',
      transcript: hello.toString('base64'),
    };
    const sign = async (relay: MeshRelay, { token }: HeldLease) =>
      await call(relay, 'POST', '/v1/sign', { token, body: { ...body, binding: binding.toString('base64') } });
    const refused = await sign(last, leases.at(-1)!);
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'invalid_request']);
  }
});

test("a visitor's address is passed on where both the tunnel and the operators want it", async (t) => {
  for (const [operator, tunnel] of [
    [true, true],
    [true, false],
    [false, true],
  ]) {
    const { relays } = await startLoopbackMesh(t, 3, { passVisitorAddress: operator! });
    const { leases } = await registerPath(relays, { passAddress: tunnel! });
    const last = relays[2]!;
    const { socket } = await openSession(last, { ...sessionHeaders(leases[2]!.token), 'X-Portal-Proxy': '2' });
    t.after(() => socket.destroy());
    const visitor = await dialPublic(relays[0]!);
    t.after(() => visitor.destroy());
    visitor.write(await clientHello(leases[0]!.hostname));
    let bytes = Buffer.alloc(0);
    const opening = await new Promise<ReturnType<typeof parseOpening>>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        const parsed = parseOpening(bytes);
        if (parsed) resolve(parsed);
      });
    });
    const source = opening?.addresses?.source;
    const expected = operator && tunnel ? { address: '127.0.0.1', port: visitor.localPort } : undefined;
    assert.deepEqual(source, expected);
  }
});

test('a visitor that ends its direction at once is heard to the end', async (t) => {
  const { relays } = await startLoopbackMesh(t, 3);
  const { leases } = await registerPath(relays);
  const { socket } = await openSession(relays[2]!, sessionHeaders(leases[2]!.token));
  t.after(() => socket.destroy());
  const visitor = await dialPublic(relays[0]!);
  t.after(() => visitor.destroy());
  const hello = await clientHello(leases[0]!.hostname);
  visitor.end(hello);
  await readOpening(socket);
  assert.deepEqual(await readBytes(socket, hello.length), hello);
  if (!socket.readableEnded) await once(socket, 'end');
  socket.end('a last word');
  assert.equal((await readBytes(visitor, 11)).toString(), 'a last word');
});

test('the relays behind the entry do not see the name, where the tunnel has given a key', async (t) => {
  const { relays } = await startLoopbackMesh(t, 3);
  const helloKey = randomBytes(32);
  const { leases } = await registerPath(relays, { helloKey });
  const { socket } = await openSession(relays[2]!, sessionHeaders(leases[2]!.token));
  t.after(() => socket.destroy());
  const visitor = await dialPublic(relays[0]!);
  t.after(() => visitor.destroy());
  const hello = await clientHello(leases[0]!.hostname);
  assert.ok(hello.includes('entry.mesh0'));
  visitor.write(hello);
  await readOpening(socket);
  const sealed = await readBytes(socket, hello.length + 30);
  assert.ok(!sealed.includes('entry'));
  assert.deepEqual(openHello(helloKey, sealed)?.hello, hello);
  visitor.write('what follows is TLS');
  assert.equal((await readBytes(socket, 19)).toString(), 'what follows is TLS');
});

test('what a path asks for that it cannot have is refused, and says what', async (t) => {
  const alone = await relayFor(t);
  const { relays } = await startLoopbackMesh(t, 2);
  const [one, two] = relays as [MeshRelay, MeshRelay];
  const ask = async (relay: typeof alone, hop: object, more: object = {}) => {
    const identity = { name: 'some', address: freshWallet().address };
    const { status, body } = await call(relay, 'POST', '/sdk/register/challenge', { body: { identity, hop, ...more } });
    return [status, body.error?.code, body.error?.message] as [number, string, string];
  };
  const accept = { token: text(token()) };
  const descriptor = await descriptorOf(two);
  const key = freshWallet();
  const signed = (changes: Partial<WireDescriptor>, by: Wallet = key) => {
    const { signature, ...fields } = descriptor;
    assert.ok(signature);
    return signDescriptor({ ...fields, address: by.address, ...changes }, by.privateKey);
  };
  const to = (wire: object) => ({ forward: { descriptor: wire, token: text(token()) } });
  const same = text(token());
  for (const [hop, more, code, message] of [
    [{}, {}, 'invalid_request', /accept, forward or both/],
    [{ accept: { token: 'short' } }, {}, 'invalid_request', /token/],
    // Its last two bits are not zero.
    [{ accept: { token: 'A'.repeat(42) + 'B' } }, {}, 'invalid_request', /hop\.accept\.token/],
    [{ accept: { token: same }, forward: { descriptor, token: same } }, {}, 'invalid_request', /token of its own/],
    [to(await descriptorOf(one)), {}, 'invalid_request', /back to this relay/],
    [to({ ...descriptor, active_connections: 7 }), {}, 'invalid_request', /signature/],
    [
      to({ ...descriptor, expires_at: '2026-01-01T00:00:00Z', issued_at: '2025-12-31T23:59:00Z' }),
      {},
      'invalid_request',
      /expired/,
    ],
    [to(signed({})), {}, 'invalid_request', /no peer of this relay/],
    [
      to(signed({ supports_overlay: false, wireguard_public_key: '', wireguard_port: 0 })),
      {},
      'invalid_request',
      /has no overlay/,
    ],
    [
      { accept, forward: { descriptor, token: text(token()), hello_key: same } },
      {},
      'invalid_request',
      /for the entry of a path/,
    ],
    [{ accept }, { tcp_enabled: true }, 'transport_mismatch', /no ports/],
    [{ accept }, { udp_enabled: true }, 'transport_mismatch', /no ports/],
    [{ accept }, { group: 'web' }, 'invalid_request', /no group/],
    [{ accept }, { own_certificate: true }, 'invalid_request', /only the entry/],
    [{ accept }, { identity: { name: 'a.example.com', address: key.address } }, 'invalid_request', /only the entry/],
  ] as const) {
    const [, actual, said] = await ask(one, hop, more);
    assert.deepEqual([actual, message.test(said)], [code, true], `${JSON.stringify(hop)} ${said}`);
  }
  assert.deepEqual((await ask(alone, { accept })).slice(0, 2), [503, 'feature_unavailable']);
  assert.equal((await ask(one, { accept }))[0], 201);
  const features = async (relay: typeof alone) =>
    (await call(relay, 'GET', '/sdk/domain')).body.data.features as string[];
  assert.deepEqual([await features(one), await features(alone)], [['hops'], []]);
});

test('a lease that another relay leads to is reached in no other way, and shown to the operator alone', async (t) => {
  const admin = freshWallet();
  const policy = {
    approvalMode: 'auto',
    landingPageEnabled: true,
    udp: { enabled: false, maxLeases: 0 },
    tcpPort: { enabled: false, maxLeases: 0 },
  } as const;
  const { relays } = await startLoopbackMesh(t, 2, { adminWallets: [admin.address], policy });
  const [entry, last] = relays as [MeshRelay, MeshRelay];
  const { leases } = await registerPath(relays);
  const { socket } = await openSession(last, sessionHeaders(leases[1]!.token));
  t.after(() => socket.destroy());
  const visitor = await dialPublic(last);
  t.after(() => visitor.destroy());
  visitor.write(await clientHello(leases[1]!.hostname));
  assert.equal(await alertOf(visitor), 112, 'unrecognized_name');
  const page = async ({ apiPort, ca, rootHost }: MeshRelay) => {
    const tls = connectTls({ host: '127.0.0.1', port: apiPort, ca, servername: rootHost });
    tls.end('GET / HTTP/1.1\r\nConnection: close\r\n\r\n');
    let body = '';
    for await (const chunk of tls) body += String(chunk);
    return body;
  };
  assert.match(await page(entry), new RegExp(leases[0]!.hostname));
  assert.doesNotMatch(await page(last), new RegExp(leases[1]!.hostname));
  const hopOf = async (relay: MeshRelay) => {
    const { leases } = await (await adminOf(relay, admin)).snapshot();
    return (leases as { hop: object }[]).map(({ hop }) => hop);
  };
  assert.deepEqual(await hopOf(entry), [{ accepts: false, forwards_to: last.relay.address }]);
  assert.deepEqual(await hopOf(last), [{ accepts: true }]);
  const alive = async (relay: MeshRelay, { token, hostname }: HeldLease) =>
    (await call(relay, 'GET', `/tunnel/status?hostname=${hostname}`, { token })).body.data.service_alive as boolean;
  assert.deepEqual([await alive(entry, leases[0]!), await alive(last, leases[1]!)], [true, true]);
  const early = await openSession(entry, sessionHeaders(leases[0]!.token));
  assert.deepEqual([early.status, early.body.error.code], [409, 'transport_mismatch']);
});

test('tokens that are unknown, foreign, replaced or of an ended lease are refused and counted', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2, { metricsPort: 0 });
  const [entry, last] = relays as [MeshRelay, MeshRelay];
  const wallet = freshWallet();
  const [first, second] = [token(), token()];
  const accepting = async (accepted: Buffer, more = { name: 'last', wallet }) =>
    await register(last, { ...more, sessionWait: 0, hop: { accept: { token: text(accepted) } } });
  await accepting(first);
  const says = async (relay: MeshRelay, sent: Buffer) => {
    const socket = await dialHop(t, relay);
    socket.write(headerOf(sent));
    return await answerOf(socket);
  };
  // It is known, and there is no session.
  assert.equal(await says(last, first), refusal.noSession);
  assert.equal(await says(last, token()), refusal.unknownToken);
  assert.equal(await says(entry, first), refusal.unknownToken);
  await assert.rejects(
    accepting(first, { name: 'other', wallet: freshWallet() }),
    /another lease has this hop.accept.token/,
  );
  const { token: lease } = await accepting(second);
  assert.equal(await says(last, first), refusal.unknownToken);
  assert.equal(await says(last, second), refusal.noSession);
  await call(last, 'POST', '/sdk/unregister', { token: lease });
  assert.equal(await says(last, second), refusal.unknownToken);
  const metrics = await (await fetch(`http://127.0.0.1:${last.relay.metricsPort}/metrics`)).text();
  const count = (outcome: string) => parseScrape(metrics).value('portal_public_connections_total', { outcome });
  assert.deepEqual([count('unknown_hop_token'), count('no_session')], [3, 2]);
});

test('headers that are cut, late, too long or something else end their connection, and no other', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2);
  const last = relays[1]!;
  const { leases, tokens } = await registerPath(relays);
  const { socket } = await openSession(last, sessionHeaders(leases[1]!.token));
  t.after(() => socket.destroy());
  const header = headerOf(tokens[0]!);
  const long = Buffer.concat([header.subarray(0, 14), Buffer.from([0xff, 0xff]), randomBytes(70_000)]);
  const silent: Socket[] = [];
  for (const [what, bytes, ends] of [
    ['cut', header.subarray(0, 40), true],
    ['too long', long, false],
    ['of version 1', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'), false],
    ['TLS', await clientHello('portal.localhost'), false],
    ['empty', Buffer.alloc(0), true],
  ] as const) {
    const dialed = await dialHop(t, last);
    dialed.write(bytes);
    if (ends) dialed.end();
    assert.equal(await answerOf(dialed), '', what);
  }
  for (const bytes of [Buffer.alloc(0), header.subarray(0, 17)]) {
    const dialed = await dialHop(t, last);
    dialed.write(bytes);
    silent.push(dialed);
  }
  assert.deepEqual(await Promise.all(silent.map(answerOf)), ['', ''], 'late');
  const dialed = await dialHop(t, last);
  for (const byte of header) dialed.write(Buffer.from([byte]));
  assert.equal((await readBytes(dialed, 1)).toString('hex'), '01');
  await readOpening(socket);
});

test('a path that comes back to a relay ends there', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2);
  const [one, two] = relays as [MeshRelay, MeshRelay];
  const [atOne, atTwo] = [token(), token()];
  const forward = async (to: MeshRelay, next: Buffer) => ({ descriptor: await descriptorOf(to), token: text(next) });
  await register(one, {
    name: 'back',
    hop: { accept: { token: text(atOne) }, forward: await forward(two, atTwo) },
  });
  await register(two, {
    name: 'forth',
    hop: { accept: { token: text(atTwo) }, forward: await forward(one, atOne) },
  });
  const { hostname } = await register(one, { name: 'entry', hop: { forward: await forward(two, atTwo) } });
  const visitor = await dialPublic(one);
  t.after(() => visitor.destroy());
  visitor.write(await clientHello(hostname));
  assert.equal(await alertOf(visitor), internalError);
  const id = randomBytes(16);
  const dialed = await dialHop(t, one);
  dialed.write(headerOf(atOne, id));
  assert.equal(await answerOf(dialed), refusal.noSession);
});

test('a visitor gets an alert where the path has no session, or the next relay is gone', async (t) => {
  const mesh = await startLoopbackMesh(t, 3);
  const [entry, middle] = mesh.relays as [MeshRelay, MeshRelay];
  const { leases } = await registerPath(mesh.relays, { sessionWait: 0 });
  const hello = await clientHello(leases[0]!.hostname);
  const visitTo = async () => {
    const visitor = await dialPublic(entry);
    t.after(() => visitor.destroy());
    visitor.write(hello);
    return await alertOf(visitor);
  };
  assert.equal(await visitTo(), internalError);
  // However long the tunnel lets visitors wait, a path has ten seconds.
  const { leases: patient } = await registerPath(mesh.relays, { sessionWait: 60, name: 'patient' });
  const waiting = await dialPublic(entry);
  t.after(() => waiting.destroy());
  waiting.write(await clientHello(patient[0]!.hostname));
  assert.equal(await alertOf(waiting), internalError);
  mesh.cut(2, true);
  assert.equal(await visitTo(), internalError);
  mesh.cut(2, false);
  await middle.stop();
  assert.equal(await visitTo(), internalError);
  await mesh.restart(1);
  const { socket } = await openSession(mesh.relays[2]!, sessionHeaders(leases[2]!.token));
  t.after(() => socket.destroy());
  // The lease of the one that was restarted is still there, and so is its place in the path.
  const opened = readOpening(socket).then(() => true);
  const visitor = await until(async () => {
    const again = await dialPublic(entry);
    t.after(() => again.destroy());
    again.write(hello);
    const isServed = await Promise.race([opened, once(again, 'readable').then(() => false)]);
    return isServed && again;
  });
  socket.write('here');
  assert.equal((await readBytes(visitor, 4)).toString(), 'here');
});

test('decisions of operators hold at every relay of a path', async (t) => {
  const admin = freshWallet();
  const policy = {
    approvalMode: 'manual',
    landingPageEnabled: false,
    udp: { enabled: false, maxLeases: 0 },
    tcpPort: { enabled: false, maxLeases: 0 },
  } as const;
  const { relays } = await startLoopbackMesh(t, 3, { adminWallets: [admin.address], policy });
  const { leases } = await registerPath(relays, { sessionWait: 0 });
  const admins = await Promise.all(relays.map((relay) => adminOf(relay, admin)));
  const pathOf = (index: number, what: string) =>
    leasePath({ name: leases[index]!.name, address: leases[index]!.wallet.address }, what);
  const hello = await clientHello(leases[0]!.hostname);
  const visitTo = async () => {
    const visitor = await dialPublic(relays[0]!);
    t.after(() => visitor.destroy());
    visitor.write(hello);
    return visitor;
  };
  for (const index of [0, 2]) await admins[index]!.post(pathOf(index, 'approve'));
  const { socket } = await openSession(relays[2]!, sessionHeaders(leases[2]!.token));
  t.after(() => socket.destroy());
  assert.equal(await alertOf(await visitTo()), internalError, 'the middle one has yet to approve');
  await admins[1]!.post(pathOf(1, 'approve'));
  const visitor = await visitTo();
  await readOpening(socket);
  socket.write('served');
  assert.equal((await readBytes(visitor, 6)).toString(), 'served');
  const closed = answerOf(visitor);
  await admins[1]!.post(pathOf(1, 'ban'));
  assert.equal(await closed, '');
  const early = await visitTo();
  assert.equal(await alertOf(early), internalError, 'banned');
});

/** A connection to another relay's API, as the contract has it. @returns it, or the refusal */
async function openPeer(
  t: TestContext,
  through: MeshRelay,
  token: string,
  peer?: string,
): Promise<WebSocket | [number, string]> {
  const headers = { 'X-Portal-Access-Token': token, ...(peer === undefined ? {} : { 'X-Portal-Peer': peer }) };
  const connection = connectTls({
    host: '127.0.0.1',
    port: through.apiPort,
    ca: through.ca,
    servername: through.rootHost,
  });
  const socket = new WebSocket(`wss://${through.rootHost}/sdk/connect`, ['portal.peer'], {
    createConnection: () => connection,
    headers,
  });
  t.after(() => socket.terminate());
  return await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.once('end', () =>
        resolve([response.statusCode!, (JSON.parse(body) as { error: { code: string } }).error.code]),
      );
    });
  });
}

test('the last relay leads to the APIs of its peers, for leases of paths, and to nothing else', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2);
  const [entry, last] = relays as [MeshRelay, MeshRelay];
  const { leases } = await registerPath(relays);
  const plain = await register(last, { name: 'plain' });
  const own = leases[1]!.token;
  assert.deepEqual(await openPeer(t, last, plain.token, entry.signer), [409, 'transport_mismatch']);
  assert.deepEqual(await openPeer(t, entry, leases[0]!.token, last.signer), [409, 'transport_mismatch']);
  assert.deepEqual(await openPeer(t, last, 'nonsense', entry.signer), [401, 'unauthorized']);
  assert.deepEqual(await openPeer(t, last, own), [400, 'invalid_request']);
  assert.deepEqual(await openPeer(t, last, own, '0x12'), [400, 'invalid_request']);
  assert.deepEqual(await openPeer(t, last, own, freshWallet().address), [503, 'feature_unavailable']);
  assert.deepEqual(await openPeer(t, last, own, last.signer), [503, 'feature_unavailable']);
  const opened = await Promise.all(Array.from({ length: 16 }, () => openPeer(t, last, own, entry.signer)));
  assert.ok(opened.every((each) => each instanceof WebSocket));
  assert.deepEqual(await openPeer(t, last, own, entry.signer), [429, 'rate_limited']);
  // They end with their lease.
  const closed = Promise.all(opened.map((each) => once(each as WebSocket, 'close')));
  const taken = await register(entry, { name: 'plain' });
  const inOverlay = await dialHop(t, entry, peerApiPort);
  inOverlay.write(await clientHello(taken.hostname));
  assert.equal(await alertOf(inOverlay), 112, 'a name that is no path');
  const path = await dialHop(t, entry, peerApiPort);
  path.write(await clientHello(leases[0]!.hostname));
  const { socket } = await openSession(last, sessionHeaders(own));
  t.after(() => socket.destroy());
  await readOpening(socket);
  await last.stop();
  await closed;
});

test('nothing is left of connections that end in every way', { skip: process.platform !== 'linux' }, async (t) => {
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const { relays } = await startLoopbackMesh(t, 3, { dataWorkers: 1 });
  const [entry, , last] = relays as [MeshRelay, MeshRelay, MeshRelay];
  const { leases } = await registerPath(relays, { sessionWait: 1 });
  const hello = await clientHello(leases[0]!.hostname);
  const round = async (how: number) => {
    // One that nobody claims could be claimed in a later round, before the relay knows that it is gone.
    const socket = how > 1 ? (await openSession(last, sessionHeaders(leases[2]!.token))).socket : undefined;
    socket?.on('error', () => undefined);
    const visitor = await dialPublic(entry);
    visitor.on('error', () => undefined);
    if (how === 0) {
      // Before anything was said.
      visitor.resetAndDestroy();
    } else {
      visitor.write(hello);
      if (how === 1) visitor.destroy();
      else await readOpening(socket!);
      if (how === 2) visitor.resetAndDestroy();
      if (how === 3) socket?.destroy();
      if (how === 4) visitor.end();
      if (how === 5) socket?.end('an answer');
      if (how === 6) socket?.write(randomBytes(300_000));
    }
    await new Promise((resolve) => setImmediate(resolve));
    visitor.destroy();
    socket?.destroy();
  };
  const rounds = async (count: number) => {
    for (let each = 0; each < count; each++) await round(each % 7);
  };
  // A data worker keeps its pipes.
  await rounds(21);
  const before = openFiles();
  await rounds(210);
  // A few connections between the relays, for discovery, come and go.
  await until(() => openFiles() <= before + 10);
});

test('a relay that drains does not wait for connections to other relays', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2);
  const [entry, last] = relays as [MeshRelay, MeshRelay];
  const { leases } = await registerPath(relays);
  const opened = (await openPeer(t, last, leases[1]!.token, entry.signer)) as WebSocket;
  const closed = once(opened, 'close');
  const deadline = AbortSignal.timeout(20_000);
  await last.relay.drain(deadline);
  assert.equal(deadline.aborted, false);
  await closed;
});

test('connections of another relay that say nothing keep no visitor out', async (t) => {
  const { relays } = await startLoopbackMesh(t, 2);
  const last = relays[1]!;
  const { leases, tokens } = await registerPath(relays, { sessionWait: 0 });
  // A thousand that say nothing, and one that is served.
  const silent = await Promise.all(Array.from({ length: 1_000 }, () => dialHop(t, last)));
  const { socket } = await openSession(last, sessionHeaders(leases[1]!.token));
  t.after(() => socket.destroy());
  const dialed = await dialHop(t, last);
  dialed.write(headerOf(tokens[0]!));
  assert.equal((await readBytes(dialed, 1)).toString('hex'), '01');
  await Promise.all(silent.map(answerOf));
});
