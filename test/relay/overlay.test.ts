import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { components } from '../../generated/api.js';
import { overlayAddress } from '../../src/sdk/discovery/relay-descriptor.js';
import { loadOverlayKey } from '../../src/relay/overlay/overlay-key.js';
import { freshWallet } from '../support/by-hand.js';
import { type Machine, makeRelaySites, startMachines, startRelayAt } from '../support/namespaces.js';
import { portalMain } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';
import { until } from '../support/until.js';
import { fails, fetchFrom, interfaceOf, type Node, peersOf, settled, startMesh } from '../support/wireguard-mesh.js';

// Real relays in network namespaces, with real WireGuard.

test('three relays form a mesh by what discovery believes, and reach each other in it', async (t) => {
  const { nodes } = await startMesh(t, 3);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  for (const from of nodes) {
    for (const to of nodes) {
      if (from === to) continue;
      const health = await fetchFrom(from.machine, `http://${to.address}:7777/healthz`);
      assert.deepEqual(JSON.parse(health), { ok: true, data: { status: 'ok' } });
    }
  }
  const listing = JSON.parse(await fetchFrom(one.machine, `http://${two.address}:7777/discovery`)) as {
    data: { relays: Record<string, unknown>[] };
  };
  const overlays = listing.data.relays.map((relay) => [
    relay['api_https_addr'],
    relay['supports_overlay'],
    relay['wireguard_port'],
    overlayAddress(String(relay['wireguard_public_key'])),
  ]);
  const facts = ({ url, address }: Node) => [url, true, 51820, address];
  assert.deepEqual(overlays.sort(), nodes.map(facts).sort());
  assert.deepEqual(overlays.length, 3);
  const settings = await one.machine.run('wg', 'show', interfaceOf(one), 'persistent-keepalive');
  assert.deepEqual(
    new Set(
      settings
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[1]),
    ),
    new Set(['25']),
  );
  assert.equal(statSync(join(one.stateDir, 'wireguard.key')).mode & 0o777, 0o600);
  assert.match(await one.machine.run('ip', 'link', 'show', interfaceOf(one)), /mtu 1420/);
  for (const [path, status] of [
    ['/', 404],
    ['/admin/snapshot', 404],
  ] as const)
    assert.match(await fails(fetchFrom(one.machine, `http://${two.address}:7777${path}`)), new RegExp(`${status}`));
  const posted = fails(fetchFrom(one.machine, `http://${two.address}:7777/discovery`, '--data', '{}'));
  assert.match(await posted, /405/);
});

test('the operator sees each peer with its handshake and its bytes', async (t) => {
  const wallet = freshWallet();
  const { nodes, ca } = await startMesh(t, 2, 0, ['--admin-wallets', wallet.address]);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  await fetchFrom(one.machine, `http://${two.address}:7777/healthz`);
  const home = mkdtempSync(join(tmpdir(), 'portal-operator-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const [keyFile, sessionFile] = [join(home, 'wallet.json'), join(home, 'session.json')];
  writeFileSync(keyFile, JSON.stringify({ address: wallet.address, private_key: wallet.privateKey }), { mode: 0o600 });
  const login = ['admin', 'login', '--relay', one.url, '--ca', ca, '--key-file', keyFile, '--session', sessionFile];
  await one.machine.run(process.execPath, portalMain, ...login);
  const { session } = JSON.parse(readFileSync(sessionFile, 'utf8')) as { session: string };
  const overlay = async () => {
    const cookie = ['--header', `Cookie: portal_admin=${session}`, '--cacert', ca];
    const answer = await fetchFrom(one.machine, `${one.url}/admin/overlay`, ...cookie);
    return (JSON.parse(answer) as { data: components['schemas']['OverlayPeers'] }).data;
  };
  const { is_up, peers, refused } = await overlay();
  assert.deepEqual([is_up, peers.length, refused], [true, 1, []]);
  const { relay, last_handshake_at, received, sent, ...place } = peers[0]!;
  assert.match(relay, /^0x[0-9a-fA-F]{40}$/);
  assert.deepEqual(place, { address: two.address, host: `${new URL(two.url).hostname}:51820` });
  assert.ok(Date.now() - Date.parse(last_handshake_at!) < 300_000, last_handshake_at);
  assert.ok(received > 0 && sent > 0, `${received} ${sent}`);
});

test('peers reach the ports of the overlay service alone, and nobody reaches those from elsewhere', async (t) => {
  const { nodes, others } = await startMesh(t, 2, 1);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  const stranger = others[0]!;
  const server =
    "require('node:http').createServer((_, response) => response.end('private')).listen(9999, '0.0.0.0', () => console.log('up'))";
  await once(two.machine.start(process.execPath, ['-e', server]).stdout!, 'data');
  const port = (host: string, path = '') => `http://${host}:9999/${path}`;
  assert.equal(await fetchFrom(one.machine, port(two.machine.ip)), 'private');
  const quick = ['--max-time', '1'];
  assert.match(await fails(fetchFrom(one.machine, port(two.address), ...quick)), /\(28\)/);
  assert.match(await fails(fetchFrom(one.machine, `http://${two.address}:7780/`, ...quick)), /\(28\)/);
  // Its own machine reaches it.
  assert.equal(await fetchFrom(two.machine, port(two.address)), 'private');
  await stranger.run('ip', 'route', 'add', `${two.address}/32`, 'via', two.machine.ip);
  const health = `http://${two.address}:7777/healthz`;
  assert.match(await fails(fetchFrom(stranger, health, ...quick)), /\(28\)/);
  // A peer is who it says: packets with another's address are dropped.
  const name = interfaceOf(one);
  await one.machine.run('ip', 'address', 'add', '100.99.9.9/32', 'dev', name);
  await fetchFrom(one.machine, health);
  assert.match(await fails(fetchFrom(one.machine, health, '--interface', '100.99.9.9', ...quick)), /\(28\)/);
  // Nor does it forward, even where the machine would.
  const [behind, peerKey] = ['10.78.0.1', await publicKeyOf(two)];
  await stranger.run('ip', 'address', 'add', `${behind}/32`, 'dev', 'lo');
  await stranger.run('ip', 'route', 'add', `${one.address}/32`, 'via', two.machine.ip);
  await two.machine.run('ip', 'route', 'add', `${behind}/32`, 'via', stranger.ip);
  await two.machine.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await one.machine.run('ip', 'route', 'add', `${behind}/32`, 'dev', name, 'src', one.address);
  await one.machine.run('wg', 'set', name, 'peer', peerKey, 'allowed-ips', `${two.address}/32,${behind}/32`);
  await once(stranger.start(process.execPath, ['-e', server]).stdout!, 'data');
  assert.match(await fails(fetchFrom(one.machine, port(behind), ...quick)), /\(28\)/);
  await two.machine.run('nft', 'flush', 'chain', 'inet', interfaceOf(two), 'forward');
  // The same way, but for that rule.
  assert.equal(await fetchFrom(one.machine, port(behind)), 'private');
});

const publicKeyOf = async ({ stateDir }: Node) => (await loadOverlayKey(join(stateDir, 'wireguard.key'))).publicKey;

test('what relays say in the overlay is encrypted on the network between them', async (t) => {
  const tcpdump = await requireTool('tcpdump');
  const { nodes } = await startMesh(t, 2);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  const capture = two.machine.start(tcpdump, [
    '-i',
    'eth0',
    '-n',
    '-A',
    '-U',
    '-c',
    '12',
    'udp port 51820 or tcp port 7777',
  ]);
  await once(capture.stderr!, 'data');
  let seen = '';
  capture.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')));
  const over = once(capture, 'exit');
  for (let round = 0; round < 3; round++) await fetchFrom(one.machine, `http://${two.address}:7777/discovery`);
  await over;
  assert.match(seen, /\.51820: UDP/);
  assert.doesNotMatch(seen, /discovery|HTTP|100\.\d+\.\d+\.\d+/);
});

test('a relay that was killed takes its place again, and one that ends leaves nothing behind', async (t) => {
  const { nodes, start } = await startMesh(t, 2);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  const before = interfaceOf(two);
  two.relay.child.kill('SIGKILL');
  await once(two.relay.child, 'exit');
  two.relay = await start(two);
  await settled(nodes);
  assert.equal(interfaceOf(two), before);
  await until(
    async () =>
      await fetchFrom(one.machine, `http://${two.address}:7777/healthz`).then(
        () => true,
        () => false,
      ),
    {
      deadlineMs: 15_000,
    },
  );
  two.relay.child.kill('SIGTERM');
  await once(two.relay.child, 'exit');
  assert.equal(await two.machine.run('ip', '-oneline', 'link', 'show').then((text) => text.includes('portal')), false);
  assert.equal((await two.machine.run('nft', 'list', 'tables')).trim(), '');
  assert.equal((await two.machine.run('ip', 'route')).includes('100.'), false);
});

test('an interface that is lost is made anew', async (t) => {
  const { nodes } = await startMesh(t, 2);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  await two.machine.run('pkill', '-KILL', '-f', `wireguard-go -f ${interfaceOf(two)}`);
  await until(() => two.relay.log().includes('the interface of the overlay is gone'), { deadlineMs: 15_000 });
  await settled(nodes);
  const health = fetchFrom.bind(undefined, one.machine, `http://${two.address}:7777/healthz`);
  await until(
    async () =>
      await health().then(
        () => true,
        () => false,
      ),
    { deadlineMs: 15_000 },
  );
});

test('rules of the firewall that somebody flushes are put back', async (t) => {
  const { nodes } = await startMesh(t, 1);
  const [{ machine, relay, address }] = nodes as [Node];
  const rules = async () => await machine.run('nft', 'list', 'ruleset');
  await until(async () => (await rules()).includes(`ip daddr ${address} tcp dport `));
  const before = await rules();
  await machine.run('nft', 'flush', 'ruleset');
  await until(() => relay.log().includes("the overlay's rules of nftables are gone"));
  await until(async () => (await rules()) === before);
});

test("another program's interface and route are left alone, and the relay says so", async (t) => {
  const { nodes, start } = await startMesh(t, 2);
  await settled(nodes);
  const [one, two] = nodes as [Node, Node];
  one.relay.child.kill('SIGTERM');
  await once(one.relay.child, 'exit');
  // A route that another program has to a peer.
  await one.machine.run('ip', 'route', 'add', `${two.address}/32`, 'dev', 'lo');
  one.relay = await start(one);
  await until(() => one.relay.log().includes('a peer cannot be set up'), { deadlineMs: 30_000 });
  assert.match(await one.machine.run('ip', 'route', 'show', two.address), /dev lo/);
  assert.deepEqual(await peersOf(one), []);
  one.relay.child.kill('SIGTERM');
  await once(one.relay.child, 'exit');
  const name = interfaceOf(one);
  await one.machine.run('ip', 'link', 'add', 'dev', name, 'type', 'bridge');
  one.relay = await start(one);
  assert.match(one.relay.log(), /there is no overlay: the network interface portal\w+ is another program's/);
  assert.match(await one.machine.run('ip', 'link', 'show', name), new RegExp(name));
  const { data } = JSON.parse(await fetchFrom(one.machine, `${one.url}/discovery`, '--insecure')) as {
    data: { relays: { api_https_addr: string; supports_overlay: boolean; wireguard_public_key?: string }[] };
  };
  const own = data.relays.find(({ api_https_addr: url }) => url === one.url);
  assert.deepEqual([own?.supports_overlay, own?.wireguard_public_key], [false, undefined]);
});

test('the first descriptor that a relay gives tells of its overlay already', async (t) => {
  for (const tool of ['wg', 'wireguard-go', 'nft', 'curl'] as const) await requireTool(tool);
  const [machine] = (await startMachines(t, 1)) as [Machine];
  const { sites } = await makeRelaySites(t, [machine]);
  const site = sites[0]!;
  const started = startRelayAt(site, ['--discovery', '--overlay']);
  const first = await until(() => fetchFrom(machine, `${site.url}/discovery`, '--insecure').catch(() => undefined));
  assert.match(first, /"supports_overlay":true/);
  await started;
});

test('what is missing is said in one line, and the relay goes on without an overlay', async (t) => {
  const [machine] = (await startMachines(t, 1)) as [Machine];
  const { sites } = await makeRelaySites(t, [machine]);
  const relay = await startRelayAt(sites[0]!, ['--discovery', '--overlay'], { PATH: '/nowhere' });
  assert.match(relay.log(), /there is no overlay: install [a-z, 0-9]*wireguard-tools/);
  assert.match(await fetchFrom(machine, `${sites[0]!.url}/healthz`, '--insecure'), /"ok":true/);
});

test('a UDP port that another program has is said, and taken once it is free', async (t) => {
  const [machine] = (await startMachines(t, 1)) as [Machine];
  const { sites } = await makeRelaySites(t, [machine]);
  const holder = "const s = require('node:dgram').createSocket('udp4'); s.bind(51820, () => console.log('bound'))";
  const other = machine.start(process.execPath, ['-e', holder]);
  await once(other.stdout!, 'data');
  const relay = await startRelayAt(sites[0]!, ['--discovery', '--overlay']);
  assert.match(relay.log(), /there is no overlay: UDP port 51820 is taken: choose another by --wireguard-port/);
  assert.equal((await machine.run('ip', '-oneline', 'link', 'show')).includes('portal'), false);
  assert.equal((await machine.run('nft', 'list', 'tables')).trim(), '');
  other.kill('SIGKILL');
  await until(() => relay.log().includes('overlay up'), { deadlineMs: 60_000 });
  assert.equal(relay.log().match(/there is no overlay/g)!.length, 1);
});

test('the key is made once, clamped, and kept from others', async (t) => {
  const wg = await requireTool('wg');
  const folder = mkdtempSync(join(tmpdir(), 'portal-overlay-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'wireguard.key');
  const [key, again] = [await loadOverlayKey(file), await loadOverlayKey(file)];
  assert.deepEqual(key, again);
  const bytes = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  assert.deepEqual([bytes.length, bytes[0]! & 7, bytes[31]! >> 6], [32, 0, 1]);
  const { stdout } = await runProgram(wg, ['pubkey'], { input: readFileSync(file) });
  assert.equal(stdout.toString().trim(), key.publicKey);
  chmodSync(file, 0o644);
  await assert.rejects(loadOverlayKey(file), /readable by others/);
});
