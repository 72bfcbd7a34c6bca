import assert from 'node:assert/strict';
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Machine } from '../support/namespaces.js';
import { portalMain } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { requireTool } from '../support/tools.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';
import { fails, type Mesh, type Node, settled, startMesh } from '../support/wireguard-mesh.js';

// Five relays, a tunnel and a visitor on machines of their own, with real WireGuard between the relays.

const megabyte = 1 << 20;
const bulkMegabytes = 200;

/** A service that hashes what it is sent, sends what it is asked for, and returns messages of a WebSocket. */
const service = `
const { createHash } = require('node:crypto');
const { WebSocketServer } = require(${JSON.stringify(fileURLToPath(import.meta.resolve('ws')).replace('wrapper.mjs', 'index.js'))});
const piece = Buffer.alloc(${megabyte}, 'some bytes of the service. ');
const server = require('node:http').createServer((request, response) => {
  const hash = createHash('sha256');
  const megabytes = Number(new URL(request.url, 'http://localhost').searchParams.get('megabytes'));
  if (request.method === 'POST') return request.on('data', (bytes) => hash.update(bytes)).on('end', () => response.end(hash.digest('hex')));
  if (megabytes === 0) return response.end('<title>here</title>hello');
  let left = megabytes;
  const more = () => { while (left-- > 0) if (!response.write(piece)) return response.once('drain', more); response.end(); };
  more();
});
new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
server.listen(3000, () => console.log('listening'));`;

interface Exposed {
  child: ChildProcess;
  url: URL;
  /** What it has said. */
  log(): string;
  /** The last URL that it has printed. */
  current(): URL;
}

class Scene {
  readonly home: Machine;
  readonly guest: Machine;

  constructor(
    private readonly t: TestContext,
    readonly mesh: Mesh,
  ) {
    [this.home, this.guest] = mesh.others as [Machine, Machine];
  }

  /** `portal expose` on the machine at home. */
  async expose(t: TestContext, args: string[]): Promise<Exposed> {
    const identity = join(temporaryDirectory(this.t), 'identity.json');
    const command = [portalMain, 'expose', '3000', '--identity', identity, '--ca', this.mesh.ca, '--json', ...args];
    const child = this.home.start(process.execPath, command);
    t.after(() => child.kill());
    let [log, urls] = ['', ''];
    child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
    child.stdout!.on('data', (chunk: Buffer) => (urls += chunk.toString()));
    const current = () => new URL((JSON.parse(urls.trim().split('\n').at(-1)!) as { url: string }).url);
    await until(() => urls.includes('\n'), { deadlineMs: 30_000 }).catch((cause: unknown) => {
      throw new Error(`no URL: ${log}`, { cause });
    });
    return { child, url: current(), current, log: () => log };
  }

  /** The relay that a name leads to. */
  entryOf(url: URL): Node {
    return this.mesh.nodes.find((node) => url.hostname.endsWith(`.${node.machine.host}`))!;
  }

  async curl(url: URL, path = '/', ...args: string[]): Promise<string> {
    const way = ['--cacert', this.mesh.ca, '--connect-to', `::${this.entryOf(url).machine.ip}:8443`];
    const limits = ['--silent', '--show-error', '--fail', '--max-time', '60'];
    return await this.guest.run('curl', ...limits, ...way, ...args, new URL(path, url).href);
  }

  async isServed(url: URL): Promise<boolean> {
    return await this.curl(url, '/', '--max-time', '3').then(
      (text) => text.includes('hello'),
      () => false,
    );
  }
}

const urlsOf = (nodes: readonly Node[]) => nodes.map(({ url }) => url).join();

test('paths over WireGuard', async (t) => {
  const mesh = await startMesh(t, 5, 2, ['--log-level', 'debug']);
  const { nodes } = mesh;
  await settled(nodes);
  const scene = new Scene(t, mesh);
  await printed(scene.home.start(process.execPath, ['-e', service]), /listening/);

  for (const length of [2, 3]) {
    await t.test(
      `a path of ${length} relays serves curl, a browser, a WebSocket, and much in both directions`,
      async (t) => {
        const { url } = await scene.expose(t, ['--hops', urlsOf(nodes.slice(0, length)), '--name', `path${length}`]);
        assert.match(await scene.curl(url), /hello/);
        const chromium = await requireTool('chromium');
        const profile = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${temporaryDirectory(t)}`];
        const way = [
          `--host-resolver-rules=MAP ${url.hostname} ${nodes[0]!.machine.ip}`,
          '--ignore-certificate-errors',
        ];
        assert.match(await scene.guest.run(chromium, ...profile, ...way, '--dump-dom', url.href), /hello/);
        const client = `
        const { WebSocket } = require(${JSON.stringify(fileURLToPath(import.meta.resolve('ws')).replace('wrapper.mjs', 'index.js'))});
        const socket = new WebSocket(${JSON.stringify(url.href)}, { ca: require('node:fs').readFileSync(${JSON.stringify(mesh.ca)}),
          lookup: (name, options, done) => options.all ? done(null, [{ address: '${nodes[0]!.machine.ip}', family: 4 }]) : done(null, '${nodes[0]!.machine.ip}', 4) });
        socket.on('open', () => socket.send('over the path'));
        socket.on('message', (data) => { console.log(String(data)); socket.terminate(); });`;
        assert.match(await scene.guest.run(process.execPath, '-e', client), /over the path/);
        const folder = temporaryDirectory(t);
        const down = join(folder, 'down');
        await scene.curl(url, `/?megabytes=${bulkMegabytes}`, '--output', down);
        const [sum = ''] = (await scene.guest.run('sha256sum', down)).split(' ');
        const direct = await scene.home.run(
          'sh',
          '-c',
          `curl -s 'http://localhost:3000/?megabytes=${bulkMegabytes}' | sha256sum`,
        );
        assert.equal(sum, direct.split(' ')[0]);
        assert.equal(await scene.curl(url, '/', '--data-binary', `@${down}`), sum);
      },
    );
  }

  await t.test('no relay of a path sees more than its part, on the network and in its log', async (t) => {
    const tcpdump = await requireTool('tcpdump');
    const [entry, middle, last] = nodes.slice(2) as [Node, Node, Node];
    const { home, guest } = scene;
    const captures = await Promise.all(
      [
        [entry, home],
        [middle, home],
        [middle, guest],
        [last, guest],
      ].map(async ([at, other]) => {
        const child = (at as Node).machine.start(tcpdump, [
          '-i',
          'eth0',
          '-n',
          '-l',
          `host ${(other as Machine).ip} and not arp`,
        ]);
        let seen = '';
        child.stdout!.on('data', (chunk: Buffer) => (seen += chunk.toString()));
        await once(child.stderr!, 'data');
        return { child, seen: () => seen };
      }),
    );
    const overlay = last.machine.start(tcpdump, ['-i', 'any', '-n', '-A', '-l', 'tcp port 7778 or udp port 51820']);
    let passed = '';
    overlay.stdout!.on('data', (chunk: Buffer) => (passed += chunk.toString('latin1')));
    await once(overlay.stderr!, 'data');
    const before = new Map(nodes.map(({ relay }) => [relay, relay.log().length]));
    const logOf = ({ relay }: Node) => relay.log().slice(before.get(relay));
    const { url } = await scene.expose(t, ['--hops', urlsOf([entry, middle, last]), '--name', 'hidden']);
    for (let round = 0; round < 3; round++) assert.match(await scene.curl(url), /hello/);
    // By the time that this is seen, so is all before it.
    await until(() => passed.includes('7778'));
    assert.doesNotMatch(passed, /hidden/);
    for (const { seen, child } of captures) {
      child.kill('SIGINT');
      await once(child, 'exit');
      assert.equal(seen().trim(), '');
    }
    overlay.kill();
    assert.ok(logOf(entry).includes(guest.ip) && logOf(entry).includes('hidden'));
    assert.ok(logOf(last).includes(home.ip));
    for (const relay of [entry, middle]) assert.ok(!logOf(relay).includes(`"${home.ip}"`));
    for (const relay of [middle, last])
      assert.ok(!logOf(relay).includes(`"${guest.ip}"`) && !logOf(relay).includes('hidden'));
  });

  await t.test('nobody but a peer reaches the ports of paths', async () => {
    const two = nodes[1]!;
    await scene.guest.run('ip', 'route', 'add', `${two.address}/32`, 'via', two.machine.ip);
    for (const port of [7778, 7779]) {
      const url = `http://${two.address}:${port}/`;
      assert.match(await fails(scene.guest.run('curl', '-sS', '--max-time', '1', url)), /\(28\)/);
    }
  });

  await t.test('what a hostile peer sends is refused, while a path through the same relay serves', async (t) => {
    const [entry, last, hostile] = nodes as [Node, Node, Node];
    const { url } = await scene.expose(t, ['--hops', urlsOf([entry, last]), '--name', 'calm']);
    const attack = `
      const { connect } = require('node:net');
      const hex = (text) => Buffer.from(text, 'hex');
      const header = Buffer.concat([hex('0d0a0d0a000d0a515549540a21000049050010'), Buffer.alloc(16), hex('e00020'), Buffer.alloc(32), hex('e10010'), Buffer.alloc(16)]);
      const long = Buffer.concat([header.subarray(0, 14), hex('ffff'), Buffer.alloc(70000)]);
      const tell = (what, bytes, ends = false) => new Promise((resolve) => {
        const socket = connect({ host: '${last.address}', port: 7778 });
        let answer = '';
        socket.on('data', (chunk) => (answer += chunk.toString('hex')));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(what + ':' + answer));
        socket.on('connect', () => { socket.write(bytes); if (ends) socket.end(); });
      });
      const flood = Array.from({ length: 1500 }, () => tell('silent', ''));
      Promise.all([tell('unknown', header), tell('cut', header.subarray(0, 40), true), tell('long', long), tell('late', header.subarray(0, 20)), ...flood])
        .then((all) => console.log([...new Set(all)].join(' ')));`;
    const said = hostile.machine.run(process.execPath, '-e', attack);
    for (let round = 0; round < 5; round++) assert.match(await scene.curl(url), /hello/);
    assert.equal((await said).trim(), 'unknown:02 cut: long: late: silent:');
    assert.match(await scene.curl(url), /hello/);
  });

  await t.test('a path that comes back to a relay ends there', async () => {
    const [one, two] = nodes as [Node, Node];
    const module = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
    const register = `
      const { createPortalClient, identityFromPrivateKey } = await import(${module('sdk/index.js')});
      const { randomBytes } = await import('node:crypto');
      const token = () => randomBytes(32).toString('base64url');
      const [one, two] = ${JSON.stringify([one.url, two.url])}.map((relay) => createPortalClient({ relay }));
      const of = async ({ relay, getDiscovery }) => (await getDiscovery()).relays.find((each) => each.api_https_addr === relay.origin);
      const register = async (client, name, hop) => {
        const identity = identityFromPrivateKey('0x' + randomBytes(32).toString('hex'));
        const { challenge_id, siwe_message } = await client.createRegisterChallenge({ identity: { name, address: identity.address }, ttl: 300, hop });
        return await client.registerLease({ challenge_id, siwe_message, siwe_signature: await identity.signMessage(siwe_message) });
      };
      const [atOne, atTwo] = [token(), token()];
      const to = async (client, token) => ({ descriptor: await of(client), token });
      await register(one, 'back', { accept: { token: atOne }, forward: await to(two, atTwo) });
      await register(two, 'forth', { accept: { token: atTwo }, forward: await to(one, atOne) });
      console.log((await register(one, 'loop', { forward: await to(two, atTwo) })).hostname);`;
    const env = { NODE_EXTRA_CA_CERTS: mesh.ca };
    const script = ['--input-type=module', '-e', register];
    const hostname = (await printed(scene.home.start(process.execPath, script, env), /loop\.\S+/)).trim();
    const visited = await scene.curl(new URL(`https://${hostname}:8443`)).catch((error: Error) => error.message);
    assert.match(visited, /\(35\).*alert/);
    assert.match(one.relay.log(), /the path is broken/);
  });

  await t.test('a chosen path goes on by other relays when one is killed under load, or falls silent', async (t) => {
    const exposed = await scene.expose(t, [
      '--relay',
      nodes[0]!.url,
      '--hops',
      '2',
      '--allow-private',
      '--name',
      'moving',
    ]);
    const pathOf = () => {
      const { message } = exposed
        .log()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { event: string; message: string })
        .filter(({ event }) => event === 'path')
        .at(-1)!;
      return /the path is (.*?), (.*?)(?:;|$)/
        .exec(message)!
        .slice(1)
        .map((host) => nodes.find(({ machine }) => host.startsWith(machine.host))!);
    };
    await until(() => scene.isServed(exposed.current()));
    const load = scene
      .curl(exposed.current(), '/?megabytes=100000', '--output', '/dev/null')
      .catch((error: Error) => error);
    const [, last] = pathOf() as [Node, Node];
    last.relay.child.kill('SIGKILL');
    assert.ok((await load) instanceof Error);
    await until(async () => !pathOf().includes(last) && (await scene.isServed(exposed.current())));
    const [, silent] = pathOf() as [Node, Node];
    await silent.machine.run('ip', 'link', 'set', 'eth0', 'down');
    await until(async () => !pathOf().includes(silent) && (await scene.isServed(exposed.current())));
  });
});
