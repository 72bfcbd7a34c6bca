import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { plaintextAlertRecord } from '../../src/tls/index.js';
import { adminOf, leasePath } from '../support/admin.js';
import {
  type HeldLease,
  type RegisterOptions,
  call,
  freshWallet,
  openSession,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { type TestRelay, relayFor, sharedRelay, startTestRelay, withPorts } from '../support/relay.js';
import { readOpening, visit } from '../support/tenant.js';

const codeOf = async (registering: Promise<unknown>): Promise<string> =>
  await registering.then(
    () => 'none',
    (error: Error) => /"code":"(\w+)"/.exec(error.message)?.[1] ?? error.message,
  );
const renew = async (relay: TestRelay, { token }: HeldLease, body = {}) =>
  await call(relay, 'POST', '/sdk/renew', { body, token });
const unregister = async (relay: TestRelay, { token }: HeldLease) =>
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token });
const codeOfCall = (answer: { body: { error?: { code: string } } }) => answer.body.error?.code;

const relay = sharedRelay();
let names = 0;

/** Tunnels of one identity and name. */
function tunnels(relay: TestRelay, all: Partial<RegisterOptions> = {}) {
  const [wallet, name] = [freshWallet(), `shared-${names++}`];
  return async (options: Partial<RegisterOptions> = {}) =>
    await register(relay, { name, wallet, group: 'web', ...all, ...options });
}

async function ready(t: TestContext, relay: TestRelay, { token }: HeldLease): Promise<TLSSocket> {
  const { socket, status } = await openSession(relay, sessionHeaders(token));
  t.after(() => socket.destroy());
  assert.equal(status, 200);
  return socket.on('error', () => {});
}

/** The relay has ended a connection. */
async function over(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
}

test('two tunnels of one group share a lease: both tokens renew, and visitors go to both', async (t) => {
  const join = tunnels(relay);
  const [first, second] = [await join(), await join()];
  assert.equal(first.hostname, second.hostname);
  for (const lease of [first, second]) assert.equal((await renew(relay, lease)).status, 200);
  const [ofFirst, ofSecond] = [await ready(t, relay, first), await ready(t, relay, second)];
  const visitors = [visit(relay, first.hostname), visit(relay, first.hostname)];
  await Promise.all([readOpening(ofFirst), readOpening(ofSecond)]);
  for (const visitor of visitors) visitor.destroy();
});

test('a visitor goes to the tunnel with the fewest connections, although the session of another waits longer', async (t) => {
  const join = tunnels(relay);
  const [busy, idle] = [await join(), await join()];
  const served = await ready(t, relay, busy);
  const visitor = visit(relay, busy.hostname);
  await readOpening(served);
  const older = await ready(t, relay, busy);
  const newer = await ready(t, relay, idle);
  const next = visit(relay, busy.hostname);
  await readOpening(newer);
  // The other one of the two is then as busy, so that age decides again.
  const last = visit(relay, busy.hostname);
  await readOpening(older);
  for (const socket of [visitor, next, last]) socket.destroy();
});

test('a tunnel that unregisters leaves the group: its sessions end, its connections may finish, the others serve', async (t) => {
  const join = tunnels(relay);
  const [leaving, staying] = [await join(), await join()];
  const live = await ready(t, relay, leaving);
  const visitor = visit(relay, leaving.hostname);
  await readOpening(live);
  const waiting = (await ready(t, relay, leaving)).resume();
  const other = await ready(t, relay, staying);
  const ended = over(waiting);
  assert.equal((await unregister(relay, leaving)).status, 200);
  await ended;
  for (const path of ['/sdk/renew', '/sdk/unregister'])
    assert.equal(codeOfCall(await call(relay, 'POST', path, { body: {}, token: leaving.token })), 'lease_not_found');
  assert.equal((await openSession(relay, sessionHeaders(leaving.token))).body.error.code, 'lease_not_found');
  const told = new Promise<NodeJS.ErrnoException>((resolve) => visitor.once('error', resolve));
  live.write(plaintextAlertRecord('unrecognized_name'));
  assert.match(String((await told).code), /UNRECOGNIZED_NAME/);
  const next = visit(relay, staying.hostname);
  await readOpening(other);
  for (const socket of [visitor, next]) socket.destroy();
  assert.equal((await unregister(relay, staying)).status, 200);
  assert.equal(codeOfCall(await renew(relay, staying)), 'lease_not_found');
  await register(relay, { name: staying.name });
});

test('a tunnel whose time is over is cut, and the lease goes on for the others', async (t) => {
  const join = tunnels(relay);
  const [gone, staying] = [await join({ ttl: 1 }), await join({ ttl: 60 })];
  const live = (await ready(t, relay, gone)).resume();
  const visitor = visit(relay, gone.hostname);
  visitor.on('error', () => {});
  const waiting = (await ready(t, relay, gone)).resume();
  const other = await ready(t, relay, staying);
  await Promise.all([over(live), over(waiting), over(visitor)]);
  assert.equal(codeOfCall(await renew(relay, gone)), 'lease_not_found');
  assert.equal((await renew(relay, staying)).status, 200);
  const next = visit(relay, staying.hostname);
  await readOpening(other);
  next.destroy();
});

test('without a group, or with another one, registering replaces the lease of all its tunnels', async () => {
  const join = tunnels(relay);
  const [first, second] = [await join(), await join()];
  const other = await join({ group: 'api' });
  for (const lease of [first, second]) assert.equal(codeOfCall(await renew(relay, lease)), 'hostname_conflict');
  const [wallet, name] = [other.wallet, other.name];
  await register(relay, { wallet, name });
  assert.equal(codeOfCall(await renew(relay, other)), 'hostname_conflict');
});

test('another identity cannot join a group, whatever it calls itself', async () => {
  const lease = await tunnels(relay)();
  assert.equal(await codeOf(register(relay, { name: lease.name, group: 'web' })), 'hostname_conflict');
  assert.equal((await renew(relay, lease)).status, 200);
});

test('a group has at most 16 tunnels; one that leaves makes room', async () => {
  const join = tunnels(relay);
  const members: HeldLease[] = [];
  for (let count = 0; count < 16; count++) members.push(await join());
  assert.equal(await codeOf(join()), 'rate_limited');
  await unregister(relay, members[7]!);
  await join();
  assert.equal(await codeOf(join()), 'rate_limited');
});

test('the tunnels of a group may renew at once, each as often as one without a group', async () => {
  const join = tunnels(relay);
  const members: HeldLease[] = [];
  for (let count = 0; count < 12; count++) members.push(await join());
  for (let round = 0; round < 3; round++)
    for (const member of members) assert.equal((await renew(relay, member)).status, 200);
  const codes = await Promise.all(Array.from({ length: 25 }, () => renew(relay, members[0]!)));
  assert.ok(codes.some((answer) => codeOfCall(answer) === 'rate_limited'));
});

test('each tunnel of a group has a ready queue of its own size', async (t) => {
  const join = tunnels(relay);
  const [first, second] = [await join(), await join()];
  for (let count = 0; count < 8; count++) await ready(t, relay, first);
  assert.equal((await openSession(relay, sessionHeaders(first.token))).body.error.code, 'rate_limited');
  for (let count = 0; count < 8; count++) await ready(t, relay, second);
});

test('the tunnels of a group share a TCP port, and agree on it; there is no UDP port for them', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const join = tunnels(relay, { tcp: true });
  const [first, second] = [await join(), await join()];
  assert.ok(first.tcpPort !== undefined && first.tcpPort === second.tcpPort);
  assert.equal((await join({ tcpPort: first.tcpPort })).tcpPort, first.tcpPort);
  const { last } = relay.config.portRange!;
  const another = first.tcpPort === last ? last - 1 : last;
  for (const options of [{ tcp: false }, { tcpPort: another }, { udp: true }])
    assert.equal(await codeOf(join(options)), 'invalid_request');
  assert.equal((await renew(relay, first)).status, 200);
  const plain = tunnels(relay);
  await plain();
  assert.equal(await codeOf(plain({ tcp: true })), 'invalid_request');
});

test('names of groups are letters, digits and inner hyphens, 32 at most', async () => {
  for (const group of ['', '-a', 'a-', 'A', 'a b', 'a'.repeat(33), 'ü'])
    assert.equal(await codeOf(register(relay, { name: 'odd', group })), 'invalid_request', group);
});

test('the tunnels of a group are remembered over a restart, and those that have left are not', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'portal-groups-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  let relay = await startTestRelay({ stateDir });
  t.after(() => relay.stop());
  const enter = tunnels(relay);
  const [first, second, left] = [await enter(), await enter(), await enter()];
  await unregister(relay, left);
  await relay.stop();
  relay = await startTestRelay({ stateDir, sniPort: relay.publicPort });
  for (const lease of [first, second]) assert.equal((await renew(relay, lease)).status, 200);
  assert.equal(codeOfCall(await renew(relay, left)), 'lease_not_found');
  const { wallet, name } = first;
  await register(relay, { wallet, name, group: 'web' });
  assert.equal((await renew(relay, second)).status, 200);
});

test('the operator sees the group, and a ban ends it for all its tunnels', async (t) => {
  const operator = freshWallet();
  const relay = await relayFor(t, { adminWallets: [operator.address] });
  const admin = await adminOf(relay, operator);
  const join = tunnels(relay);
  const [first, second] = [await join(), await join()];
  const { leases } = (await admin.snapshot()) as { leases: { group: string; members: number }[] };
  assert.deepEqual(
    leases.map(({ group, members }) => ({ group, members })),
    [{ group: 'web', members: 2 }],
  );
  const sockets = [await ready(t, relay, first), await ready(t, relay, second)];
  const ended = sockets.map((socket) => over(socket.resume()));
  await admin.post(leasePath({ name: first.name, address: first.wallet.address }, 'ban'));
  await Promise.all(ended);
  for (const lease of [first, second]) assert.equal(codeOfCall(await renew(relay, lease)), 'lease_rejected');
});
