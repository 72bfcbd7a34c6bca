import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { parseProxyHeader } from '../../src/protocol/proxy-protocol.js';
import type { ConnectionReport } from '../../src/tunnel/index.js';
import { readAll } from '../support/by-hand.js';
import { startTestRelay, withPorts, relayFor } from '../support/relay.js';
import { startSshd } from '../support/sshd.js';
import {
  get,
  openTunnel,
  startHttpService,
  startTcpService,
  startTunnel,
  statusWhere,
  visitPort,
  visitTls,
} from '../support/tunnel.js';

for (const carrier of ['raw', 'ws'] as const) {
  test(`visitor and service send both ways and half-close (${carrier})`, async (t) => {
    const relay = await relayFor(t, await withPorts(4));
    const service = await startTcpService(t, (socket) => {
      socket.write('welcome\n');
      void readAll(socket).then((said) => socket.end(`you said ${said.toString()}`));
    });
    const { tunnel, url } = await openTunnel(t, relay, undefined, { tcp: service.port, carrier });
    assert.deepEqual(tunnel.current?.urls, [url]);
    const visitor = await visitPort(t, url);
    // The service speaks first, as SSH does.
    const [greeting] = (await once(visitor, 'data')) as [Buffer];
    assert.equal(greeting.toString(), 'welcome\n');
    visitor.end('my last word');
    assert.equal((await readAll(visitor)).toString(), 'you said my last word');
  });

  test(`64 MB each way arrive intact, although one direction ends long before the other (${carrier})`, async (t) => {
    const relay = await relayFor(t, await withPorts(4));
    const chunk = randomBytes(1 << 20);
    const count = 64;
    const hashOf = (times: number) => {
      const hash = createHash('sha256');
      for (let time = 0; time < times; time++) hash.update(chunk);
      return hash.digest('hex');
    };
    const write = async (socket: Socket) => {
      for (let time = 0; time < count; time++) if (!socket.write(chunk)) await once(socket, 'drain');
      socket.end();
    };
    const hashAll = async (socket: Socket) => {
      const hash = createHash('sha256');
      socket.on('data', (bytes: Buffer) => hash.update(bytes));
      await once(socket, 'end');
      return hash.digest('hex');
    };
    // The service begins to send only when it has everything.
    let received: string | undefined;
    const service = await startTcpService(t, (socket) => {
      void hashAll(socket).then(async (hash) => {
        received = hash;
        await write(socket);
      });
    });
    const { url } = await openTunnel(t, relay, undefined, { tcp: service.port, carrier });
    const visitor = await visitPort(t, url);
    const sent = hashAll(visitor);
    await write(visitor);
    assert.equal(await sent, hashOf(count));
    assert.equal(received, hashOf(count));
  });
}

test('ssh logs in through the tunnel, and transfers data intact', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const server = await startSshd(t);
  const { url } = await openTunnel(t, relay, undefined, { tcp: server.port });
  const port = Number(url.split(':').at(-1));
  const input = randomBytes(16 << 20);
  const { code, stdout, stderr } = await server.ssh(port, 'sha256sum; exit 7', input);
  assert.equal(code, 7, stderr);
  assert.match(stdout.toString(), new RegExp(`^${createHash('sha256').update(input).digest('hex')} `));
  const echoed = await server.ssh(port, 'cat', input);
  assert.equal(echoed.code, 0, echoed.stderr);
  assert.ok(echoed.stdout.equals(input));
});

test('one lease may have a public name and a port, each for its own service', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const web = await startHttpService(t, (_request, response) => response.end('web'));
  const other = await startTcpService(t, (socket) => socket.end('other'));
  const { tunnel, hostname } = await openTunnel(t, relay, web.port, { tcp: other.port });
  const [https, tcp] = tunnel.current!.urls;
  assert.equal(https, `https://${hostname}:${relay.publicPort}`);
  assert.equal((await get(relay, hostname)).body, 'web');
  const reported = new Promise<ConnectionReport>((resolve) =>
    tunnel.on('connection', (report) => (report.transport === 'tcp' ? resolve(report) : undefined)),
  );
  const socket = await visitPort(t, tcp, '127.0.0.9');
  assert.equal((await readAll(socket)).toString(), 'other');
  socket.end();
  const { transport, visitor, sent } = await reported;
  assert.deepEqual([transport, visitor?.address, sent], ['tcp', '127.0.0.9', 5]);
});

test('with only a port exposed, the name gets unrecognized_name', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startTcpService(t, (socket) => socket.end());
  const { hostname } = await openTunnel(t, relay, undefined, { tcp: service.port });
  await assert.rejects(visitTls(relay, hostname), /unrecognized.name/i);
});

test('with --proxy-protocol the service gets the visitor address', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startTcpService(t, (socket) => void readAll(socket).then((bytes) => socket.end(bytes)));
  const { url } = await openTunnel(t, relay, undefined, { tcp: service.port, proxyProtocol: true });
  const visitor = await visitPort(t, url, '127.0.0.8');
  const { localPort, remotePort } = visitor;
  visitor.end('hello');
  const bytes = await readAll(visitor);
  const header = parseProxyHeader(bytes, 'v2')!;
  assert.deepEqual(header.addresses?.source, { address: '127.0.0.8', port: localPort });
  assert.equal(header.addresses?.destination.port, remotePort);
  assert.equal(bytes.subarray(header.length).toString(), 'hello');
});

test('while the service is down a visitor is disconnected, and that is reported', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startTcpService(t, (socket) => socket.end());
  const { tunnel, url } = await openTunnel(t, relay, undefined, { tcp: service.port });
  await service.stop();
  const down = statusWhere(tunnel, ({ state }) => state === 'target_down');
  const visitor = await visitPort(t, url);
  // An end would look as if the service had said all that it had to say.
  await assert.rejects(readAll(visitor), { code: 'ECONNRESET' });
  await down;
});

test('a relay without TCP ports, or with these turned off, ends the tunnel with the reason', async (t) => {
  const none = await startTestRelay();
  t.after(() => none.stop());
  const off = await relayFor(t, await withPorts(2, { tcp: { enabled: false } }));
  for (const [relay, code] of [
    [none, 'feature_unavailable'],
    [off, 'tcp_port_disabled'],
  ] as const) {
    const { tunnel } = startTunnel(t, relay, undefined, { tcp: 22 });
    const { error } = await tunnel.closed;
    assert.equal((error as { code?: string }).code, code);
  }
});

test('invalid targets are reported before any request to the relay', async (t) => {
  const relay = { url: 'https://portal.localhost:1', ca: '' };
  const faultOf = async (options: Parameters<typeof startTunnel>[3]) =>
    (await startTunnel(t, relay, undefined, options).tunnel.closed).error?.message ?? '';
  assert.match(await faultOf({}), /nothing to expose/);
  assert.match(await faultOf({ tcp: 'http://localhost:22' }), /is not 22, host:22/);
  assert.match(await faultOf({ tcp: 70_000 }), /ports are 1 to 65535/);
  assert.match(await faultOf({ tcp: 22, http: true }), /HTTPS target/);
});
