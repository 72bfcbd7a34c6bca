import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { limitOpenFiles, startRelayProcess, startTunnelProcess } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { freePort, type TestRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

const onLinux = { skip: process.platform === 'linux' ? false : 'only Linux tells how many files a process has open' };

async function setUp(t: TestContext) {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const relay = await startRelayProcess(t, join(directory, 'state'), port, port, [
    '--max-connections-per-address',
    '1000',
  ]);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const tunnel = await startTunnelProcess(t, {
    target: service.port,
    relayPort: port,
    name: 'crowded',
    identity: join(directory, 'me.json'),
    caFile: join(directory, 'state', 'development-ca.pem'),
    ttlSeconds: 600,
  });
  return { relay: relay.child, tunnel, visited: { publicPort: port, ca: relay.ca } as TestRelay };
}

test(
  'relay: out of file descriptors, it says so, lives on, and serves again once there are some',
  onLinux,
  async (t) => {
    const { relay, visited } = await setUp(t);
    await limitOpenFiles(relay, 60);
    const said = printed(relay, /too many open files: .*raise the limit/, relay.stderr);
    const held: Socket[] = [];
    t.after(() => held.forEach((socket) => socket.destroy()));
    for (let count = 0; count < 150; count++)
      held.push(connect(visited.publicPort, '127.0.0.1').on('error', () => undefined));
    await said;
    const free = printed(relay, /file descriptors are available again/, relay.stderr);
    held.forEach((socket) => socket.destroy());
    await free;
    assert.equal((await get(visited, 'crowded.portal.localhost')).body, 'here');
    assert.equal(relay.exitCode, null);
  },
);

test('tunnel: out of file descriptors is reported as such, and not as a service that is down', onLinux, async (t) => {
  const { tunnel, visited } = await setUp(t);
  await limitOpenFiles(tunnel, 20);
  let stderr = '';
  tunnel.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const said = printed(tunnel, /too many open files: .*could not be reached; raise the limit/, tunnel.stderr);
  const held: Socket[] = [];
  t.after(() => held.forEach((socket) => socket.destroy()));
  // Each takes two descriptors of the tunnel, until there are none.
  for (let isOut = false; !isOut;) {
    const opening = visitTls(visited, 'crowded.portal.localhost').then((socket) => {
      held.push(socket.on('error', () => undefined));
      socket.write('GET / HTTP/1.1\r\nHost: crowded.portal.localhost\r\n\r\n');
      return once(socket, 'data');
    });
    isOut = await Promise.race([
      said.then(() => true),
      opening.then(
        () => false,
        () => false,
      ),
    ]);
  }
  held.forEach((socket) => socket.destroy());
  await until(async () => (await get(visited, 'crowded.portal.localhost').catch(() => undefined))?.body === 'here');
  assert.doesNotMatch(stderr, /does not answer/);
  assert.equal(tunnel.exitCode, null);
});
