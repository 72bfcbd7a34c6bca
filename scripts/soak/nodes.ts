/**
 * `npm run soak:nodes [-- --minutes N] [--seed N]`: three nodes of a relay, a Redis with a replica and a Sentinel, and haproxy in front, as
 * docs/operations.md says. Nodes and Redis are killed and frozen under load, while every answer and every decision that was
 * acknowledged is checked. Ends with a table, and with 1 when anything was lost, or a name was served by two. Linux only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadPrivateKeyFile } from '../../src/sdk/identity/identity-file.js';
import { expose, identityFromPrivateKey, type Tunnel } from '../../src/tunnel/index.js';
import { adminWith, leasePath, login } from '../../test/support/admin.js';
import { call, freshWallet, register } from '../../test/support/by-hand.js';
import { certificateFiles } from '../../test/support/certificates.js';
import { portalMain } from '../../test/support/processes.js';
import { askRedis } from '../../test/support/redis.js';
import { freePort, type TestRelay } from '../../test/support/relay.js';
import { requireTool } from '../../test/support/tools.js';
import { until } from '../../test/support/until.js';
import { Random } from '../../test/tls/mutations.js';

const rootHost = 'portal.localhost';
const names = Array.from({ length: 8 }, (_, index) => `tunnel-${index}`);
const visitors = 6;
/** Between two faults. */
const calmMs = 6_000;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
const minutes = Number(values.minutes);
if (!Number.isInteger(seed) || !(minutes > 0)) {
  process.stderr.write('soak:nodes: --minutes and --seed are numbers\n');
  process.exit(2);
}
process.stdout.write(`seed ${seed}\n`);
const random = new Random(seed);
const folder = mkdtempSync(join(tmpdir(), 'portal-nodes-'));
const children = new Set<ChildProcess>();
let isOver = false;

function start(program: string, args: string[], log?: string): ChildProcess {
  const output = log === undefined ? 'ignore' : openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  if (typeof output === 'number') closeSync(output);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

// Redis, its replica, and a Sentinel.
const redisServer = await requireTool('redis-server');
const redis = [0, 1].map(() => ({ port: 0, child: undefined as ChildProcess | undefined }));
for (const each of redis) each.port = await freePort();
async function startRedis(index: number, master?: number): Promise<void> {
  const { port } = redis[index]!;
  const of = master === undefined ? [] : ['--replicaof', '127.0.0.1', String(master)];
  const dir = join(folder, `redis-${port}`);
  mkdirSync(dir, { recursive: true });
  redis[index]!.child = start(redisServer, [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'],
    ...['--appendfsync', 'always', '--min-replicas-to-write', '1', '--min-replicas-max-lag', '2', ...of],
  ]);
  await until(async () => (await askRedis(port, 'PING').catch(() => '')).startsWith('+PONG'));
}
await startRedis(0);
await startRedis(1, redis[0]!.port);
const sentinelPort = await freePort();
const sentinelFile = join(folder, 'sentinel.conf');
writeFileSync(
  sentinelFile,
  [
    ...[
      `port ${sentinelPort}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor portal 127.0.0.1 ${redis[0]!.port} 1`,
    ],
    ...['sentinel down-after-milliseconds portal 1000', 'sentinel failover-timeout portal 3000', ''],
  ].join('\n'),
);
start(redisServer, [sentinelFile, '--sentinel']);
const masterPort = async () =>
  Number(
    /\r\n(\d+)\r\n$/.exec(await askRedis(sentinelPort, 'SENTINEL get-master-addr-by-name portal').catch(() => ''))?.[1],
  );
await until(async () => (await askRedis(sentinelPort, 'INFO sentinel').catch(() => '')).includes('slaves=1'));

await until(async () => (await askRedis(redis[0]!.port, 'INFO replication')).includes('min_slaves_good_slaves:1'));

// Nodes.
interface Node {
  stateDir: string;
  apiPort: number;
  sniPort: number;
  nodePort: number;
  child: ChildProcess | undefined;
}
const certificate = await certificateFiles(rootHost);
const wallet = freshWallet();
const publicPort = await freePort();
const nodes: Node[] = [];
for (let index = 0; index < 3; index++) {
  const stateDir = join(folder, `node-${index}`);
  mkdirSync(stateDir);
  const [apiPort, sniPort, nodePort] = [await freePort(), await freePort(), await freePort()];
  nodes.push({ stateDir, apiPort, sniPort, nodePort, child: undefined as ChildProcess | undefined });
}
await loadPrivateKeyFile(join(nodes[0]!.stateDir, 'identity.json'));
for (const { stateDir } of nodes.slice(1))
  copyFileSync(join(nodes[0]!.stateDir, 'identity.json'), join(stateDir, 'identity.json'));
const relayOf = ({ apiPort }: Node) => ({ apiPort, ca: certificate.certPem, rootHost }) as TestRelay;
const isUp = async (node: Node) =>
  (await call(relayOf(node), 'GET', '/healthz').catch(() => undefined))?.status === 200;
async function startNode(node: Node): Promise<void> {
  const args = [
    ...[portalMain, 'relay', '--portal-url', `https://${rootHost}:${publicPort}`, '--state-dir', node.stateDir],
    ...['--cert-file', certificate.certFile, '--key-file', certificate.keyFile, '--host', '127.0.0.1'],
    ...['--sni-port', String(node.sniPort), '--api-port', String(node.apiPort)],
    ...['--store', `redis+sentinel://127.0.0.1:${sentinelPort}/portal`, '--node-address', `127.0.0.1:${node.nodePort}`],
    ...['--proxy-protocol-from', '127.0.0.1', '--admin-wallets', wallet.address],
  ];
  const child = start(process.execPath, args, join(node.stateDir, 'log'));
  node.child = child;
  // As a service manager does, where Redis was away at the start.
  child.once('exit', (code) => {
    if (code !== null && !isOver) setTimeout(() => void startNode(node), 1_000);
  });
}
for (const node of nodes) await startNode(node);
for (const node of nodes) await until(() => isUp(node));

// haproxy, as it is in the documentation.
let config = readFileSync(new URL('../../../docs/nodes/haproxy.cfg', import.meta.url), 'utf8');
// It would need the right to open as many files.
config = config.replace('maxconn 100000', 'maxconn 4000').replace('bind :443', `bind 127.0.0.1:${publicPort}`);
for (const [index, { sniPort, apiPort }] of nodes.entries())
  config = config.replace(`10.0.0.${5 + index}:443 port 4017`, `127.0.0.1:${sniPort} port ${apiPort}`);
const configFile = join(folder, 'haproxy.cfg');
writeFileSync(configFile, config);
const haproxy = start(await requireTool('haproxy'), ['-db', '-f', configFile], join(folder, 'haproxy.log'));
haproxy.once('exit', (code) => {
  if (!isOver) throw new Error(`haproxy ended with ${code}: ${readFileSync(join(folder, 'haproxy.log'), 'utf8')}`);
});

// Tunnels, each with a service that says whose it is.
const tunnels: Tunnel[] = [];
for (const name of names) {
  const service = createServer((incoming, response) => incoming.pipe(response.writeHead(200, { 'X-Tunnel': name })));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as { port: number };
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const relay = `https://${rootHost}:${publicPort}`;
  const tunnel = expose({ target: port, relay, ca: certificate.certPem, identity, name, http: false });
  tunnels.push(tunnel);
  await tunnel.ready();
}

const tell = (what: string) => process.stdout.write(`${new Date().toISOString()} ${what}\n`);
const faults: string[] = [];
/** Why requests failed, and how often. */
const reasons = new Map<string, number>();
const counts = { answers: 0, failed: 0, decisions: 0, unacknowledged: 0, rivals: 0, chaos: 0 };
const lastServed = new Map(names.map((name) => [name, performance.now()]));
let longestOutageMs = 0;

async function visit(): Promise<void> {
  while (!isOver) {
    const name = names[random.below(names.length)]!;
    const body = Buffer.alloc(1 + random.below(60_000), random.below(256));
    const answer = await ask(name, body).catch((error: NodeJS.ErrnoException) => {
      const reason = error.code ?? error.message;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    });
    if (answer === undefined) {
      counts.failed++;
      await sleep(20);
      continue;
    }
    counts.answers++;
    if (answer.tunnel !== name || !answer.body.equals(body)) faults.push(`${name} was answered by ${answer.tunnel}`);
    const now = performance.now();
    const outageMs = now - lastServed.get(name)!;
    longestOutageMs = Math.max(longestOutageMs, outageMs);
    if (outageMs > 5_000) tell(`${name} was not served for ${(outageMs / 1_000).toFixed(1)} s`);
    lastServed.set(name, now);
    await sleep(10);
  }
}

async function ask(name: string, body: Buffer): Promise<{ tunnel: string; body: Buffer }> {
  const outgoing = request({
    ...{ host: '127.0.0.1', port: publicPort, servername: `${name}.${rootHost}`, ca: certificate.certPem },
    ...{ method: 'POST', headers: { Host: `${name}.${rootHost}`, 'Content-Length': body.length }, agent: false },
    timeout: 15_000,
  });
  outgoing.once('timeout', () => outgoing.destroy(new Error('too late')));
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { tunnel: String(response.headers['x-tunnel']), body: Buffer.concat(parts) };
}

/** Of each identity, the last decision that was acknowledged; unknown after one that was not. */
const decided = new Map<string, boolean | 'unknown'>();
const identities = Array.from({ length: 200 }, (_, index) => ({
  name: `decided-${index}`,
  address: freshWallet().address,
}));

async function decide(): Promise<void> {
  let cookie = '';
  while (!isOver) {
    const node = relayOf(nodes[random.below(nodes.length)]!);
    const identity = identities[random.below(identities.length)]!;
    const isBanned = random.below(2) === 1;
    try {
      if (cookie === '') cookie = await login(node, wallet);
      const admin = adminWith(node, cookie);
      const path = leasePath(identity, 'ban');
      decided.set(identity.name, 'unknown');
      const answer = await (isBanned ? admin.post(path) : admin.delete(path));
      if (answer.status === 401) cookie = '';
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      decided.set(identity.name, isBanned);
      counts.decisions++;
    } catch {
      counts.unacknowledged++;
    }
    await sleep(50);
  }
}

/** Somebody else wants the names that are held, at any node. */
async function rival(): Promise<void> {
  while (!isOver) {
    const name = names[random.below(names.length)]!;
    const node = relayOf(nodes[random.below(nodes.length)]!);
    await register(node, { name }).then(
      () => faults.push(`${name} was given to somebody else`),
      () => counts.rivals++,
    );
    await sleep(200);
  }
}

const chaos: Record<string, () => Promise<void>> = {
  async 'a node is killed'() {
    const node = nodes[random.below(nodes.length)]!;
    await kill(node.child!);
    await sleep(1_000 + random.below(4_000));
    await startNode(node);
    await until(() => isUp(node));
  },
  async 'a node is frozen'() {
    const { child } = nodes[random.below(nodes.length)]!;
    child!.kill('SIGSTOP');
    await sleep(2_000 + random.below(10_000));
    child!.kill('SIGCONT');
  },
  async 'the Redis master is killed'() {
    const master = await masterPort();
    const index = redis.findIndex(({ port }) => port === master);
    if (index < 0) return;
    await kill(redis[index]!.child!);
    await until(async () => ![master, NaN].includes(await masterPort()));
    await startRedis(index, await masterPort());
  },
  async 'the Redis master is frozen'() {
    const master = await masterPort();
    const { child } = redis.find(({ port }) => port === master) ?? {};
    child?.kill('SIGSTOP');
    await sleep(500 + random.below(6_000));
    child?.kill('SIGCONT');
  },
};

async function disturb(): Promise<void> {
  const kinds = Object.keys(chaos);
  while (!isOver) {
    await sleep(calmMs);
    if (isOver) return;
    const kind = kinds[random.below(kinds.length)]!;
    tell(kind);
    counts.chaos++;
    await chaos[kind]!().catch((error: unknown) => faults.push(`${kind}: ${(error as Error).message}`));
  }
}

const work = [...Array.from({ length: visitors }, visit), decide(), rival(), disturb()];
await sleep(minutes * 60_000);
isOver = true;
await Promise.all(work);

// In the end everybody is there, and knows the same.
for (const node of nodes) {
  await until(
    async () =>
      (await call(relayOf(node), 'GET', '/healthz').catch(() => undefined))?.body.data?.degraded === undefined,
  );
  const admin = adminWith(relayOf(node), await login(relayOf(node), wallet));
  await until(
    async () => {
      const { body } = await admin.get('/identities?q=decided-&limit=500');
      const banned = new Set<string>();
      for (const each of body.data.identities as { name: string; is_banned: boolean }[])
        if (each.is_banned) banned.add(each.name);
      const wrong = [...decided].filter(([name, isBanned]) => isBanned !== 'unknown' && banned.has(name) !== isBanned);
      return wrong.length === 0;
    },
    { deadlineMs: 20_000 },
  ).catch(() => faults.push(`a decision was lost at node ${nodes.indexOf(node)}`));
}
for (const name of names)
  await until(async () => (await ask(name, Buffer.from('x')).catch(() => undefined))?.tunnel === name).catch(() =>
    faults.push(`${name} is not served in the end`),
  );

const rows: [string, string | number][] = [
  ['answers, each checked', counts.answers],
  ['requests that failed meanwhile', counts.failed],
  ['longest time that a name was not served', `${(longestOutageMs / 1_000).toFixed(1)} s`],
  ['decisions acknowledged', counts.decisions],
  ['decisions not acknowledged', counts.unacknowledged],
  ['attempts of others to get a name', counts.rivals],
  ['nodes and Redis killed or frozen', counts.chaos],
  ['lost, or served by two', faults.length],
];
for (const [what, value] of rows) process.stdout.write(`${what.padEnd(44)}${String(value).padStart(16)}\n`);
for (const [reason, count] of reasons) process.stdout.write(`  ${reason}: ${count}\n`);
for (const fault of faults.slice(0, 20)) process.stdout.write(`  ${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
await Promise.all(tunnels.map((tunnel) => tunnel.close(0)));
for (const child of children) child.kill('SIGKILL');
await certificate.remove();
if (faults.length > 0) process.stdout.write(`the logs of the nodes are in ${folder}\n`);
else rmSync(folder, { recursive: true, force: true });
process.exit();
