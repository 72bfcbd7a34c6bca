import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort, type TestRelay } from '../support/relay.js';
import { type RelayProcess, kill, openSockets, startRelayProcess, startTunnelProcess } from '../support/processes.js';
import { get, listening, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

// Relay, tunnel and local service as processes that die without a word, and come back.

const hostname = 'steady.portal.localhost';

interface Scene {
  dir: string;
  port: number;
  service: { port: number; stop(): Promise<void> };
  relay: RelayProcess;
  startTunnel(relayPort?: number): Promise<ChildProcess>;
  restartRelay(): Promise<void>;
  /** One request; its status, or what went wrong. */
  visit(): Promise<number | string>;
  /** Settles once visitors are served again. */
  served(): Promise<void>;
}

async function scene(t: TestContext, urlPort?: number): Promise<Scene> {
  const dir = temporaryDirectory(t);
  const port = await freePort();
  const service = await startHttpService(t, (_request, response) => response.end('steady'));
  const visit = async () => {
    const relay = { publicPort: port, ca: made.relay.ca } as TestRelay;
    return await get(relay, hostname, '/', { timeout: 5_000 }).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
  };
  const made: Scene = {
    dir,
    port,
    service,
    relay: await startRelayProcess(t, join(dir, 'state'), port, urlPort),
    startTunnel: (relayPort = urlPort ?? port) =>
      startTunnelProcess(t, {
        target: service.port,
        relayPort,
        name: 'steady',
        identity: join(dir, 'identity.json'),
        caFile: join(dir, 'state', 'development-ca.pem'),
        ttlSeconds: 8,
      }),
    async restartRelay() {
      made.relay = await startRelayProcess(t, join(dir, 'state'), port, urlPort);
    },
    visit,
    async served() {
      // The runner's own time limit ends this when service does not come back.
      await until(async () => (await visit()) === 200);
    },
  };
  return made;
}

test('after the relay is killed and restarted the same name is served again', async (t) => {
  const s = await scene(t);
  await s.startTunnel();
  await s.served();
  for (let round = 0; round < 3; round++) {
    await kill(s.relay.child, 'SIGKILL');
    assert.equal(await s.visit(), 'ECONNREFUSED');
    await s.restartRelay();
    await s.served();
  }
});

test('after the tunnel is killed and restarted the same identity gets its name at once', async (t) => {
  const s = await scene(t);
  for (let round = 0; round < 3; round++) {
    const tunnel = await s.startTunnel();
    await s.served();
    await kill(tunnel, 'SIGKILL');
  }
});

test('the service stops and restarts while the relay does too', async (t) => {
  const s = await scene(t);
  await s.startTunnel();
  await s.served();
  await s.service.stop();
  assert.equal(await s.visit(), 503);
  await kill(s.relay.child, 'SIGKILL');
  await s.restartRelay();
  await until(async () => (await s.visit()) === 503);
  await startHttpService(t, (_request, response) => response.end('back'), s.service.port);
  await s.served();
});

test('the network between tunnel and relay is cut and restored', async (t) => {
  const middle = await freePort();
  const s = await scene(t, middle);
  const passing = new Set<Socket>();
  const wire = () =>
    createServer((from) => {
      const to = connect({ host: '127.0.0.1', port: s.port });
      for (const socket of [from, to]) {
        passing.add(socket);
        socket.on('error', () => {});
        socket.once('close', () => passing.delete(socket));
      }
      from.pipe(to).pipe(from);
    });
  let server = wire();
  await listening(t, server, middle);
  await s.startTunnel();
  await s.served();
  for (let round = 0; round < 2; round++) {
    server.close();
    for (const socket of passing) socket.resetAndDestroy();
    await once(server, 'close');
    server = wire();
    await listening(t, server, middle);
    await s.served();
  }
});

test('a tunnel that was suspended for longer than its lease registers again', async (t) => {
  const s = await scene(t);
  const tunnel = await s.startTunnel();
  await s.served();
  tunnel.kill('SIGSTOP');
  // Asleep, with its connections open, until the lease has expired and the name gets an alert (unrecognized_name).
  await until(async () => (await s.visit()) === 'EPROTO');
  tunnel.kill('SIGCONT');
  await s.served();
});

test('100 connections and faults leave no socket open', async (t) => {
  const s = await scene(t);
  const tunnel = await s.startTunnel();
  await s.served();
  await s.service.stop();
  for (let round = 0; round < 2; round++) await Promise.all(Array.from({ length: 10 }, () => s.visit()));
  const service = await startHttpService(t, (_request, response) => response.end('back'), s.service.port);
  // Ten at once: the more sessions there were, the longer it takes until they are closed.
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 10 }, () => s.visit()));
  await service.stop();
  // Listeners, calls kept alive and at most 8 sessions that wait, whatever came before.
  const bound = 8 + 16 + 8;
  // Sessions beyond those are closed of one by one, once a while without visitors.
  const isQuiet = () => openSockets(s.relay.child) <= bound && openSockets(tunnel) <= bound;
  await until(isQuiet, { deadlineMs: 200_000 });
});
