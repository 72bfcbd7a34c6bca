import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Admin, adminOf, leasePath } from '../support/admin.js';
import {
  type HeldLease,
  call,
  ended,
  freshWallet,
  openSession,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';

// What the operator decides, while bytes flow. The relay splices and knows no more of TLS than a ClientHello, so that these
// visitors and tunnels say plain words after it.

let admin: Admin;
const operator = freshWallet();
const relay = sharedRelay({ adminWallets: [operator.address], trustedProxies: ['127.0.0.1'] }, async () => {
  admin = await adminOf(relay, operator);
});

const unrecognizedName = Buffer.from([21, 3, 3, 0, 2, 2, 112]);
const identityOf = ({ name, wallet }: HeldLease) => ({ name, address: wallet.address });

async function session(lease: HeldLease, from = '127.0.0.1'): Promise<Socket> {
  const opened = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Forwarded-For': from });
  assert.equal(opened.status, 200, JSON.stringify(opened.body));
  opened.socket.on('error', () => {});
  return opened.socket;
}

/** A visitor who has said hello, and is served if there is a session. */
async function visitor(lease: HeldLease): Promise<Socket> {
  const socket = await dialPublic(relay);
  socket.on('error', () => {});
  socket.write(await clientHello(lease.hostname));
  return socket;
}

interface Live {
  visitor: Socket;
  tunnel: Socket;
}

/** A connection through which words have gone both ways. */
async function live(lease: HeldLease, from?: string): Promise<Live> {
  const waiting = await session(lease, from);
  const socket = await visitor(lease);
  const { socket: tunnel } = await readOpening(waiting as Parameters<typeof readOpening>[0]);
  await readBytes(tunnel, (await clientHello(lease.hostname)).length);
  await assertFlows({ visitor: socket, tunnel });
  return { visitor: socket, tunnel };
}

async function assertFlows({ visitor: socket, tunnel }: Live): Promise<void> {
  tunnel.write('down');
  assert.equal((await readBytes(socket, 4)).toString(), 'down');
}

const refusedVisit = async (lease: HeldLease) =>
  assert.deepEqual(
    await buffer(await visitor(lease)),
    unrecognizedName,
    'visitors are told that there is no such name',
  );

let number = 0;
const manual = { mode: 'manual' };

for (const [what, { decide, lift, manualBefore = false, leaseStays = false }] of Object.entries<{
  decide: (path: (what: string) => string) => Promise<unknown>;
  lift: (path: (what: string) => string) => Promise<unknown>;
  manualBefore?: boolean;
  leaseStays?: boolean;
}>({
  'a ban': {
    decide: (path) => admin.post(path('ban')),
    lift: (path) => admin.delete(path('ban')),
  },
  'a denial': {
    decide: (path) => admin.post(path('deny')),
    lift: (path) => admin.delete(path('deny')),
  },
  'a revoked approval in manual mode': {
    manualBefore: true,
    decide: (path) => admin.delete(path('approve')),
    lift: (path) => admin.post(path('approve')),
    leaseStays: true,
  },
  'the switch to manual mode': {
    decide: () => admin.post('/settings/approval-mode', manual),
    lift: () => admin.post('/settings/approval-mode', { mode: 'auto' }),
    leaseStays: true,
  },
})) {
  const count = ++number;
  test(`${what} ends routing, live and waiting connections, and ready sessions of its target only`, async () => {
    const [hit, other] = [
      await register(relay, { name: `hit-${count}`, ttl: 600 }),
      await register(relay, { name: `other-${count}`, ttl: 600 }),
    ];
    const path = (action: string) => leasePath(identityOf(hit), action);
    await admin.post(leasePath(identityOf(other), 'approve'));
    if (manualBefore) {
      await admin.post(path('approve'));
      await admin.post('/settings/approval-mode', manual);
    }
    const [ours, theirs] = [await live(hit), await live(other)];
    const waits = await visitor(hit);
    const lines: string[] = [];
    ours.visitor.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
    const stream = setInterval(() => ours.tunnel.write('before'), 1);
    await once(ours.visitor, 'data');
    const endings = [ended(ours.visitor), ended(ours.tunnel), buffer(waits)] as const;

    await decide(path);
    clearInterval(stream);
    // The decision was answered: from here on nothing of the tenant's gets through.
    ours.tunnel.write('after');
    const [, , toldToWait] = await Promise.all(endings);
    assert.equal(lines.join('').includes('after'), false);
    assert.equal(toldToWait.length, 7, 'an alert for the visitor who waited');
    await refusedVisit(hit);
    await assertFlows(theirs);
    assert.equal(
      (await admin.snapshot()).leases.some(({ name }: { name: string }) => name === hit.name),
      leaseStays,
    );

    await lift(path);
    const again = leaseStays ? hit : await register(relay, { name: hit.name, wallet: hit.wallet });
    const back = await live(again);
    await assertFlows(back);
    await assertFlows(theirs);

    // Now with a session in the queue instead of a visitor.
    const ready = await session(again);
    const gone = ended(ready);
    await decide(path);
    await gone;
    await ended(back.visitor);
    await admin.post('/settings/approval-mode', { mode: 'auto' });
    for (const action of ['ban', 'deny', 'approve']) await admin.delete(path(action));
    for (const socket of [theirs.visitor, theirs.tunnel]) socket.destroy();
  });
}

test('a ban drops data that is buffered for a slow visitor', async () => {
  const lease = await register(relay, { name: 'slow' });
  const { visitor: socket, tunnel } = await live(lease);
  socket.pause();
  tunnel.on('error', () => {});
  // More than the relay holds by itself: until the tunnel has to wait.
  while (tunnel.write(Buffer.alloc(65_536, 'x')));
  await once(tunnel, 'drain').catch(() => undefined);
  const end = new Promise<unknown>((resolve) => socket.once('error', resolve).once('end', () => resolve('orderly')));
  await admin.post(leasePath(identityOf(lease), 'ban'));
  socket.resume();
  const how = await end;
  socket.destroy();
  assert.equal((how as NodeJS.ErrnoException).code, 'ECONNRESET', 'not an orderly end, after all that was written');
  await ended(tunnel);
});

test('a ban cuts connections that were finishing after an unregistration', async () => {
  const lease = await register(relay, { name: 'finishing' });
  const connection = await live(lease);
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token });
  await assertFlows(connection);
  const gone = [ended(connection.visitor), ended(connection.tunnel)];
  await admin.post(leasePath(identityOf(lease), 'ban'));
  await Promise.all(gone);
});

test('a banned address loses its reverse sessions, ready and live; visitors from it are still served', async () => {
  const lease = await register(relay, { name: 'many-homes' });
  const theirs = await live(lease, '192.0.2.9');
  const ready = await session(lease, '192.0.2.9');
  const mine = await session(lease, '192.0.2.10');
  const gone = [ended(theirs.visitor), ended(theirs.tunnel), ended(ready)];
  await admin.post('/ips/::ffff:192.0.2.9/ban');
  await Promise.all(gone);
  // The visitors' own address is banned as well, and the admin's.
  await admin.post('/ips/127.0.0.1/ban');
  const served = await visitor(lease);
  const { socket: tunnel } = await readOpening(mine as Parameters<typeof readOpening>[0]);
  await assertFlows({ visitor: served, tunnel });
  const shown = (await admin.snapshot()).leases.find(({ name }: { name: string }) => name === 'many-homes');
  assert.equal(shown.is_ip_banned, true);
  for (const ip of ['127.0.0.1', '192.0.2.9']) await admin.delete(`/ips/${ip}/ban`);
  const again = await session(lease, '192.0.2.9');
  for (const socket of [again, served, tunnel]) socket.destroy();
});
