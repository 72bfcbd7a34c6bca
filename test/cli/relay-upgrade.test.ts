import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { adminWith, leasePath, login } from '../support/admin.js';
import { call, freshWallet, readAll } from '../support/by-hand.js';
import { portalMain, startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { freePort, type TestRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import {
  get,
  openTunnel,
  startHttpService,
  startTcpService,
  temporaryDirectory,
  visitPort,
  visitTls,
} from '../support/tunnel.js';
import { until } from '../support/until.js';

interface UpgradableRelay extends Pick<TestRelay, 'publicPort' | 'apiPort' | 'ca' | 'rootHost' | 'url'> {
  child: ChildProcess;
  dir: string;
  /** The lines that all its processes have logged. */
  logged(): { msg: string; pid?: number; err?: { message: string } }[];
  /** Sends the signal to the process that serves, and waits for what it logs. */
  upgrade(expected: RegExp): Promise<void>;
}

/** `portal relay` with fixed ports, whose processes are killed with the test. */
async function startRelay(
  t: TestContext,
  settings: string[] = [],
  nodeOptions: string[] = [],
): Promise<UpgradableRelay> {
  const dir = temporaryDirectory(t);
  const [publicPort, apiPort] = [await freePort(), await freePort()];
  const url = `https://portal.localhost:${publicPort}`;
  const args = ['relay', '--portal-url', url, '--state-dir', dir, '--host', '127.0.0.1', '--sni-port', `${publicPort}`];
  const child = startPortal(t, [...args, '--api-port', `${apiPort}`, ...settings], { nodeOptions });
  let text = '';
  child.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const logged = () =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as ReturnType<UpgradableRelay['logged']>[number]);
  const pids = () => logged().flatMap(({ pid }) => pid ?? []);
  t.after(() => pids().forEach((pid) => killNow(pid)));
  await until(() => logged().some(({ msg }) => msg === 'relay started'));
  return {
    ...{ child, dir, publicPort, apiPort, url, rootHost: 'portal.localhost', logged },
    ca: readFileSync(join(dir, 'development-ca.pem'), 'utf8'),
    async upgrade(expected) {
      const seen = logged().length;
      process.kill(pids().at(-1) ?? child.pid!, 'SIGUSR2');
      await until(
        () =>
          logged()
            .slice(seen)
            .some(({ msg }) => expected.test(msg)),
        { deadlineMs: 60_000 },
      );
    },
  };
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

const takenOver = /a new process has taken over/;
const asTestRelay = (relay: UpgradableRelay) => relay as unknown as TestRelay;

test('new processes take over twice under load, and not one connection is refused or cut', async (t) => {
  const wallet = freshWallet();
  const [first, last] = [await freePort(), 65_535];
  const ports = ['--tcp-enabled', '--min-port', `${first}`, '--max-port', `${Math.min(first + 20, last)}`];
  const relay = await startRelay(t, [...ports, '--admin-wallets', wallet.address]);
  const text = randomBytes(6_000_000).toString('base64');
  /** Answers of the slow path, each in two halves. */
  const halves: (() => void)[] = [];
  const service = await startHttpService(t, (request, response) => {
    if (request.url !== '/slow') return void response.end('here');
    response.write(text.slice(0, 4_000_000));
    halves.push(() => response.end(text.slice(4_000_000)));
  });
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const { hostname, tunnel } = await openTunnel(t, relay, service.port, { tcp: echo.port });
  const statuses: string[] = [];
  tunnel.on('status', ({ state }) => statuses.push(state));
  const cookie = await login(relay, wallet);
  const before = await adminWith(relay, cookie).snapshot();

  let isOver = false;
  const counts = { name: 0, port: 0, api: 0 };
  const again = async (what: keyof typeof counts, once_: () => Promise<void>) => {
    while (!isOver) {
      await once_();
      counts[what]++;
    }
  };
  const tcpUrl = tunnel.current!.urls.find((url) => url.startsWith('tcp:'));
  const load = [1, 2, 3].map(() =>
    again('name', async () => assert.equal((await get(asTestRelay(relay), hostname)).body, 'here')),
  );
  load.push(
    again('port', async () => {
      const visitor = await visitPort(t, tcpUrl);
      visitor.end('to and fro');
      assert.equal((await readAll(visitor)).toString(), 'to and fro');
    }),
    again('api', async () => assert.equal((await call(relay, 'GET', '/healthz')).status, 200)),
  );
  const slow = [];
  for (let round = 1; round <= 2; round++) {
    slow.push(get(asTestRelay(relay), hostname, '/slow'));
    await until(() => halves.length === round);
    await relay.upgrade(takenOver);
    const served = { ...counts };
    await until(() => counts.name > served.name + 20 && counts.port > served.port + 5 && counts.api > served.api + 5);
  }
  for (const finish of halves) finish();
  // The transfers went on in the processes that were there when they began.
  for (const { body } of await Promise.all(slow)) assert.ok(body === text);
  isOver = true;
  await Promise.all(load);
  // What a relay remembers: the lease, its port, the admin's session.
  const after = await adminWith(relay, cookie).snapshot();
  assert.equal(after.leases[0].tcp_addr, before.leases[0].tcp_addr);
  assert.equal(after.leases[0].first_seen_at, before.leases[0].first_seen_at);
  assert.ok(!statuses.includes('lease_lost'), statuses.join());
  // The former processes end by themselves once nothing is open there.
  if (relay.child.exitCode === null) await once(relay.child, 'exit');
  assert.equal(relay.child.exitCode, 0);
  assert.equal(relay.logged().filter(({ msg }) => msg === 'relay stopped').length, 2);
});

test('a decision ends what the former process still serves', async (t) => {
  const wallet = freshWallet();
  const relay = await startRelay(t, ['--admin-wallets', wallet.address]);
  const service = await startTcpService(t, (socket) => socket.resume());
  const { hostname } = await openTunnel(t, relay, service.port, { http: false });
  const socket = await visitTls(asTestRelay(relay), hostname);
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await relay.upgrade(takenOver);
  const admin = adminWith(relay, await login(relay, wallet));
  const [lease] = (await admin.snapshot()).leases;
  assert.ok(!socket.destroyed);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  assert.equal((await admin.post(leasePath(lease, 'ban'))).status, 200);
  await closed;
});

test('a new process that cannot start changes nothing', async (t) => {
  const dir = temporaryDirectory(t);
  const config = join(dir, 'relay.toml');
  writeFileSync(config, 'log_level = "info"\n');
  const relay = await startRelay(t, ['--config', config]);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const { hostname } = await openTunnel(t, relay, service.port);
  writeFileSync(config, 'log_level = "much"\n');
  await relay.upgrade(/no new process took over: this one goes on/);
  assert.equal((await get(asTestRelay(relay), hostname)).body, 'here');
  writeFileSync(config, 'log_level = "info"\n');
  await relay.upgrade(takenOver);
  assert.equal((await get(asTestRelay(relay), hostname)).body, 'here');
});

test('where the new process fails once it may start, the former one serves again', async (t) => {
  const dir = temporaryDirectory(t);
  const [preload, marker] = [join(dir, 'preload.mjs'), join(dir, 'fails')];
  // Ends a new process at the moment when it could start.
  writeFileSync(
    preload,
    `import { existsSync } from 'node:fs';
    if (process.env.PORTAL_SUCCEEDS && existsSync(${JSON.stringify(marker)}))
      process.on('message', ({ portal }) => portal === 'go' && process.exit(9));\n`,
  );
  writeFileSync(marker, '');
  const relay = await startRelay(t, [], ['--import', preload]);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const { hostname } = await openTunnel(t, relay, service.port);
  await relay.upgrade(/the new process does not serve: this one starts again/);
  await until(() => relay.logged().filter(({ msg }) => msg === 'relay started').length === 2);
  await until(async () => (await get(asTestRelay(relay), hostname).catch(() => undefined))?.body === 'here');
  assert.equal(relay.child.exitCode, null);
  rmSync(marker);
  await relay.upgrade(takenOver);
  await until(async () => (await get(asTestRelay(relay), hostname).catch(() => undefined))?.body === 'here');
});

test('a socket that systemd has opened is listened on, and who came before the start is served', async (t) => {
  const activate = await requireTool('systemd-socket-activate');
  const dir = temporaryDirectory(t);
  const port = await freePort();
  const settings = ['--portal-url', `https://portal.localhost:${port}`, '--state-dir', dir, '--host', '127.0.0.1'];
  const relay = [process.execPath, portalMain, 'relay', ...settings, '--sni-port', `${port}`, '--api-port', '0'];
  const child = spawn(activate, ['-l', `127.0.0.1:${port}`, '--fdname=public', ...relay], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: process.env,
  });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await printed(child, /Listening on/, child.stderr);
  // The first connection starts the relay.
  const early = connect(port, '127.0.0.1');
  t.after(() => early.destroy());
  await once(early, 'connect');
  await printed(child, /relay started/, child.stderr);
  early.end('this is no ClientHello');
  await once(early.resume(), 'close');
  const ca = readFileSync(join(dir, 'development-ca.pem'), 'utf8');
  assert.equal((await call({ apiPort: port, ca, rootHost: 'portal.localhost' }, 'GET', '/healthz')).status, 200);
});

test('sockets of unknown names are refused in one line', async (t) => {
  const activate = await requireTool('systemd-socket-activate');
  const [dir, one, other] = [temporaryDirectory(t), await freePort(), await freePort()];
  const settings = ['--portal-url', `https://portal.localhost:${one}`, '--state-dir', dir];
  const sockets = ['-l', `127.0.0.1:${one}`, '-l', `127.0.0.1:${other}`, '--fdname=public:smtp'];
  const child = spawn(activate, [...sockets, process.execPath, portalMain, 'relay', ...settings]);
  t.after(() => child.kill('SIGKILL'));
  await printed(child, /Listening on/, child.stderr);
  const early = connect(one, '127.0.0.1');
  t.after(() => early.destroy());
  early.on('error', () => {});
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 1);
  assert.match(
    text,
    /portal relay: a socket "smtp" was passed, and there is no such port: name it public, api or http\n/,
  );
});

test('systemd is told of the new main process', async (t) => {
  await requireTool('systemd-notify');
  const dir = temporaryDirectory(t);
  const socket = join(dir, 'notify');
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
  const listener = spawn(await requireTool('python3'), ['-c', script, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => listener.kill('SIGKILL'));
  await printed(listener, /bound/);
  process.env['NOTIFY_SOCKET'] = socket;
  t.after(() => delete process.env['NOTIFY_SOCKET']);
  const relay = await startRelay(t);
  const told = printed(listener, /MAINPID=\d+/);
  await relay.upgrade(takenOver);
  const [, pid] = /MAINPID=(\d+)/.exec(await told) ?? [];
  assert.equal(Number(pid), relay.logged().find(({ msg }) => takenOver.test(msg))?.pid);
});

test('a signal that ends the relay while a new process starts ends both', async (t) => {
  const relay = await startRelay(t);
  process.kill(relay.child.pid!, 'SIGUSR2');
  await until(() => relay.logged().some(({ msg }) => msg.startsWith('a new process is started')));
  relay.child.kill('SIGTERM');
  if (relay.child.exitCode === null) await once(relay.child, 'exit');
  assert.equal(relay.child.exitCode, 0);
  // Nobody listens any more.
  const socket = connect(relay.publicPort, '127.0.0.1');
  t.after(() => socket.destroy());
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});
