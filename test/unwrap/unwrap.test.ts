import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Socket, connect as connectTcp, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { TLSSocket, connect, createSecureContext } from 'node:tls';
import { DetachableSocket } from '../../src/unwrap/detachable-socket.js';
import { unwrap } from '../../src/unwrap/unwrap.js';
import { type TestCertificate, certificateFiles } from '../support/certificates.js';
import { socketPair } from '../support/socket-pairs.js';
import { UnwrappedPeer, control } from '../support/unwrapped-peer.js';

interface End {
  tls: TLSSocket;
  transport: DetachableSocket;
}
const open = () => AbortSignal.timeout(10_000);

async function pair(t: TestContext, certificate: TestCertificate): Promise<{ relay: End; tunnel: End }> {
  const { accepted, client } = await socketPair(t, 'tcp');
  const secureContext = createSecureContext({ cert: certificate.certPem, key: readFileSync(certificate.keyFile) });
  const [under, over] = [new DetachableSocket(accepted), new DetachableSocket(client)];
  const server = new TLSSocket(under, { isServer: true, secureContext });
  const tls = connect({ socket: over, ca: certificate.certPem, servername: 'unwrap.test' });
  await Promise.all([once(server, 'secure'), once(tls, 'secureConnect')]);
  for (const socket of [server, tls]) socket.on('error', () => {});
  return { relay: { tls: server, transport: under }, tunnel: { tls, transport: over } };
}

async function withCertificate(t: TestContext): Promise<TestCertificate> {
  const certificate = await certificateFiles('unwrap.test');
  t.after(() => certificate.remove());
  return certificate;
}

/** The relay's last word within TLS, heard by the tunnel. */
async function answer({ relay, tunnel }: { relay: End; tunnel: End }): Promise<void> {
  relay.transport.hold();
  relay.tls.write('answer');
  await once(tunnel.tls, 'data');
}

test('both ends continue without TLS over the same connection after the greetings', async (t) => {
  const ends = await pair(t, await withCertificate(t));
  await answer(ends);
  const { relay, tunnel } = ends;
  const [ofRelay, ofTunnel] = await Promise.all([
    unwrap(relay.tls, relay.transport, 'relay', open()),
    unwrap(tunnel.tls, tunnel.transport, 'tunnel', open()),
  ]);
  assert.ok(relay.tls.destroyed && tunnel.tls.destroyed);
  ofRelay.write('to the tunnel');
  assert.equal(String((await once(ofTunnel.resume(), 'data'))[0]), 'to the tunnel');
  ofTunnel.write('to the relay');
  assert.equal(String((await once(ofRelay.resume(), 'data'))[0]), 'to the relay');
  ofRelay.end();
  ofTunnel.end();
  await Promise.all([once(ofRelay.resume(), 'close'), once(ofTunnel.resume(), 'close')]);
});

test('a middlebox that terminates TLS makes both ends fail, since it has other secrets', async (t) => {
  const certificate = await withCertificate(t);
  const [near, far] = [await pair(t, certificate), await pair(t, certificate)];
  await Promise.all([answer(near), answer(far)]);
  const [toTunnel, toRelay] = [near.relay.transport.detach(), far.tunnel.transport.detach()];
  toTunnel.pipe(toRelay).pipe(toTunnel);
  const results = await Promise.allSettled([
    unwrap(near.tunnel.tls, near.tunnel.transport, 'tunnel', open()),
    unwrap(far.relay.tls, far.relay.transport, 'relay', open()),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});

test('a missing or late greeting closes the connection', async (t) => {
  const certificate = await withCertificate(t);
  for (const role of ['relay', 'tunnel'] as const) {
    const ends = await pair(t, certificate);
    await answer(ends);
    const giveUp = new AbortController();
    const mine = ends[role];
    const waiting = assert.rejects(unwrap(mine.tls, mine.transport, role, giveUp.signal), { message: 'too late' });
    giveUp.abort(new Error('too late'));
    await waiting;
  }
  const ends = await pair(t, certificate);
  await answer(ends);
  const waiting = assert.rejects(unwrap(ends.relay.tls, ends.relay.transport, 'relay', open()));
  ends.tunnel.transport.detach().destroy();
  await waiting;
});

test('an error right after the greeting closes the connection, and reaches the caller', async (t) => {
  const certificate = await withCertificate(t);
  for (const role of ['relay', 'tunnel'] as const) {
    const ends = await pair(t, certificate);
    await answer(ends);
    const [mine, other] = role === 'relay' ? [ends.relay, ends.tunnel] : [ends.tunnel, ends.relay];
    const exporter = other.tls.exportKeyingMaterial(64, 'EXPORTER-portal-unwrap', Buffer.alloc(0));
    const peer = new UnwrappedPeer(role === 'relay' ? 'tunnel' : 'relay', exporter);
    const waiting = assert.rejects(unwrap(mine.tls, mine.transport, role, open()));
    // In one piece, which anyone on the way can make of it.
    const socket = other.transport.detach();
    socket.write(Buffer.concat([peer.seal(control, '\0'), Buffer.from('no unit')]));
    await waiting;
    socket.destroy();
  }
});

test('bytes after the end of TLS are kept for the next reader', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const client = connectTcp((server.address() as { port: number }).port, '127.0.0.1');
  t.after(() => client.destroy());
  await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  const transport = new DetachableSocket(sockets[0]!);
  t.after(() => sockets[0]!.destroy());
  const heard: string[] = [];
  transport.on('data', (chunk: Buffer) => heard.push(String(chunk)));
  client.write('within');
  await once(transport, 'data');
  transport.hold();
  client.write('behind');
  const socket = transport.detach();
  const [chunk] = (await once(socket.resume(), 'data')) as [Buffer];
  assert.equal(String(chunk), 'behind');
  assert.deepEqual(heard, ['within']);
  transport.destroy();
  assert.equal(socket.destroyed, false);
});
