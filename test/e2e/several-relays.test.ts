import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ended, readBytes } from '../support/by-hand.js';
import { makeSites, type Site } from '../support/discovery.js';
import { kill, startPortal, startRelayProcess } from '../support/processes.js';
import type { TestRelay } from '../support/relay.js';
import { startTcpService, temporaryDirectory, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

// Relays as processes that die without a word, and come back, while visitors are on all of them.

const services = ['alpha', 'beta', 'gamma'];

/** How a visitor reaches a relay. */
const relayAt = ({ url, caPem }: Site) => ({ publicPort: Number(url.port), ca: caPem }) as TestRelay;

async function startRelay(t: TestContext, { url, stateDir }: Site): Promise<ChildProcess> {
  const port = Number(url.port);
  const { child } = await startRelayProcess(t, stateDir, port, port, ['--portal-url', url.origin]);
  return child;
}

/** A connection whose every word comes back. */
async function startCall(t: TestContext, site: Site, service: string) {
  const socket = await visitTls(relayAt(site), `${service}.${site.url.hostname}`);
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  let words = 0;
  return {
    socket,
    /** @throws Error when the connection is gone */
    async talk(): Promise<void> {
      const word = Buffer.from(`word ${words++}`);
      socket.write(word);
      assert.deepEqual(await readBytes(socket, word.length), word);
    },
  };
}

/** Settles once a service answers through a relay. */
async function served(t: TestContext, site: Site, service: string): Promise<void> {
  await until(async () => {
    try {
      const call = await startCall(t, site, service);
      await call.talk();
      call.socket.destroy();
      return true;
    } catch {
      return false;
    }
  });
}

async function scene(t: TestContext, names: string[], maxRelays: number) {
  const dir = temporaryDirectory(t);
  const sites = await makeSites(t, names);
  const processes = new Map<Site, ChildProcess>();
  for (const site of sites) processes.set(site, await startRelay(t, site));
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, sites.map(({ caPem }) => caPem).join(''));
  const config = join(dir, 'services.toml');
  const head = [
    `relays = ${JSON.stringify(sites.map(({ url }) => url.origin))}`,
    `max_relays = ${maxRelays}`,
    `ca = "ca.pem"`,
    `identity = "identity.json"`,
  ];
  writeFileSync(config, [...head, ...services.map((name) => `[services.${name}]\ntarget = ${echo.port}`)].join('\n'));
  const tunnels = startPortal(t, ['expose', '--config', config, '--json']);
  /** Sites of each service, in the order in which they came to serve. */
  const places = new Map<string, Site[]>(services.map((service) => [service, []]));
  tunnels.stdout?.setEncoding('utf8').on('data', (lines: string) => {
    for (const line of lines.trim().split('\n')) {
      const { service, relay } = JSON.parse(line) as { service: string; relay: string };
      places.get(service)?.push(sites.find(({ url }) => url.origin === relay) as Site);
    }
  });
  await until(() => [...places.values()].every((of) => of.length === maxRelays));
  return { sites, processes, tunnels, places };
}

test('relays are killed and restarted under load: connections through the others survive, and spares serve', async (t) => {
  const { sites, processes, tunnels, places } = await scene(t, ['r1', 'r2', 'r3', 'r4'], 3);
  const calls = new Map<Site, Awaited<ReturnType<typeof startCall>>[]>(sites.map((site) => [site, []]));
  for (const [service, of] of places) for (const site of of) calls.get(site)!.push(await startCall(t, site, service));

  for (let round = 0; round < 3; round++) {
    // The one with most on it.
    const [lost] = [...sites].sort((a, b) => calls.get(b)!.length - calls.get(a)!.length) as [Site];
    const broken = calls.get(lost)!.map(({ socket }) => ended(socket));
    calls.set(lost, []);
    const hit = [...places].filter(([, of]) => of.includes(lost)).map(([service]) => service);
    assert.ok(hit.length > 0);
    await kill(processes.get(lost)!, 'SIGKILL');
    await Promise.all(broken);
    // A word on each of the others, while spares are being taken.
    for (const others of calls.values()) await Promise.all(others.map((call) => call.talk()));
    // With one of four gone and three wanted, it is each of the others.
    for (const service of hit) for (const site of sites) if (site !== lost) await served(t, site, service);
    processes.set(lost, await startRelay(t, lost));
    for (const service of hit) {
      await served(t, lost, service);
      calls.get(lost)!.push(await startCall(t, lost, service));
    }
    for (const others of calls.values()) await Promise.all(others.map((call) => call.talk()));
  }
  const exited = once(tunnels, 'exit');
  tunnels.kill('SIGTERM');
  for (const others of calls.values()) for (const { socket } of others) socket.end();
  assert.deepEqual(await exited, [0, null]);
});

test('a relay that stops responding without closing connections is replaced, and used again when it responds', async (t) => {
  const { sites, processes, places } = await scene(t, ['r1', 'r2'], 1);
  const [first] = places.get('alpha')! as [Site];
  const call = await startCall(t, first, 'alpha');
  await call.talk();
  const other = sites.find((site) => site !== first)!;
  processes.get(first)!.kill('SIGSTOP');
  await served(t, other, 'alpha');
  processes.get(first)!.kill('SIGCONT');
  // The connection was never given up.
  await call.talk();
  await served(t, first, 'alpha');
});
