import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, createServer, get as httpGet } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { afterEach, test } from 'node:test';
import { type BoundaryName, type Fault, boundaryNames, guard, injectFaults, onFault } from '../../src/util/boundary.js';
import { connectTls, readAll } from '../support/by-hand.js';
import { type TestRelay, freePort, startTestRelay, withPorts } from '../support/relay.js';
import { get, listening, openTunnel, startTcpService, visitPort, visitTls } from '../support/tunnel.js';
import { ask, echo, openPeer, startUdpService } from '../support/udp.js';

afterEach(() => injectFaults(undefined));

test('an error of a handler ends only what it was called for, and is reported once', async () => {
  const told: Fault[] = [];
  const stop = onFault((fault) => told.push(fault));
  const ends: string[] = [];
  const fail = new Error('a fault');
  const sync = guard(
    'frame data',
    (_what: string) => assert.fail(fail),
    (what) => ends.push(what),
  );
  const async = guard(
    'lease sweep',
    async (_what: string) => Promise.reject(fail),
    (what) => ends.push(what),
  );
  sync('sync');
  async('async');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ends, ['sync', 'async']);
  assert.deepEqual(told, [
    { boundary: 'frame data', error: fail },
    { boundary: 'lease sweep', error: fail },
  ]);
  // What fails in ending it stays within the boundary as well.
  guard(
    'frame data',
    () => assert.fail(fail),
    () => assert.fail('again'),
  )();
  assert.equal(told.length, 4);
  stop();
  sync('untold');
  assert.equal(told.length, 4);
});

/** Not led through here: they need another Node, or a browser, a bulk transfer, the start of a tunnel, or their timers are rarer than a test may wait. */
const elsewhere: BoundaryName[] = [
  'browser connection',
  'browser memory check',
  'certificate check',
  'relay certificate',
  'relay upgrade',
  'challenge DNS query',
  'challenge DNS connection',
  'certificate files',
  'configuration check',
  'data worker message',
  'entry connection',
  'entry worker message',
  'datagram carrier',
  'datagram carrier check',
  'datagram carrier ping',
  'discovery plan',
  'domain check',
  'descriptor fetch',
  'inspected data',
  'inspector request',
  'node connection',
  'node presence',
  'node report',
  'store change',
  'overlay lookup',
  'overlay peers',
  'overlay request',
  'overlay connection',
  'peer connection',
  'own certificate',
  'password check',
  'quic datagram',
  'quic session',
  'quic stream',
  'relay health check',
  'relay search',
  'relay path',
  'agent request',
  'agent event stream',
  'event stream',
  'operator event stream',
  'activity sample',
  'lease minutes',
  'agent notice',
  'agent relay check',
  'agent certificate check',
  'self-probe',
  'session claim',
  'session keepalive',
  'session pool check',
  'session silence check',
  'service protocol',
  'traffic sample',
  'tunnel end',
];

test('a fault in any handler does not affect the process or other visitors', async (t) => {
  const metricsPort = await freePort();
  const relay = await startTestRelay({ ...(await withPorts(4)), metricsPort, httpPort: 0, offlinePage: true });
  t.after(() => relay.stop());
  const webServer = createServer((_request, response) => response.end('web'));
  webServer.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nswitched');
  });
  const web = await listening(t, webServer, 0);
  const tcp = await startTcpService(t, (socket) => socket.end('tcp'));
  const udp = await startUdpService(t, echo);
  const open = await openTunnel(t, relay, web.port, { probe: false });
  const http = await openTunnel(t, relay, web.port, { probe: false, http: true });
  const ports = await openTunnel(t, relay, undefined, { tcp: tcp.port, udp: udp.port, probe: false });
  const overWebSocket = await openTunnel(t, relay, web.port, { probe: false, carrier: 'ws' });
  const [tcpUrl, udpUrl] = ports.tunnel.current!.urls;

  const exercises: Record<string, () => Promise<unknown>> = {
    https: async () => assert.equal((await get(relay, open.hostname)).body, 'web'),
    ws: async () => assert.equal((await get(relay, overWebSocket.hostname)).body, 'web'),
    port: async () => assert.equal((await readAll(await visitPort(t, tcpUrl))).toString(), 'tcp'),
    datagram: async () => assert.equal(await ask(await openPeer(t, udpUrl), 'hello'), 'hello'),
    metrics: async () => assert.match(await scrape(metricsPort), /portal_leases/),
    api: () => write(relay, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    upgrade: () => write(relay, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    connect: () => write(relay, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'),
    offline: async () => assert.equal((await get(relay, `nobody.${relay.rootHost}`)).status, 503),
    redirect: () => askRedirect(relay.relay.redirectPort!),
    malformed: () => write(relay, 'no HTTP at all\r\n\r\n'),
    http: async () => assert.equal((await get(relay, http.hostname)).body, 'web'),
    'http upgrade': () =>
      visit(relay, http.hostname, 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, close\r\nUpgrade: x\r\n\r\n'),
    'http switched': async () => {
      const request = 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
      assert.match(await visit(relay, http.hostname, request), /switched$/);
    },
    'http malformed': () => visit(relay, http.hostname, 'no HTTP at all\r\n\r\n'),
    timers: () => new Promise((resolve) => setTimeout(resolve, 100)),
  };

  for (const name of boundaryNames.filter((each) => !elsewhere.includes(each))) {
    const told: Fault[] = [];
    const stop = onFault((fault) => told.push(fault));
    const thrown = new Promise<void>((resolve) =>
      injectFaults((each) => {
        if (each !== name || told.length > 0) return;
        injectFaults(undefined);
        resolve();
        throw new Error(`thrown in ${name}`);
      }),
    );
    let isThrown = false;
    void thrown.then(() => (isThrown = true));
    // One of these leads through the handler, and it alone may fail.
    const deadline = AbortSignal.timeout(10_000);
    while (!isThrown && !deadline.aborted)
      for (const exercise of Object.values(exercises)) {
        if (isThrown) break;
        await Promise.race([exercise().catch(() => undefined), thrown.then(() => undefined)]);
      }
    assert.ok(isThrown, `${name}: no exercise leads through this handler`);
    stop();
    assert.deepEqual(
      told.map(({ boundary, error }) => [boundary, error.message]),
      [[name, `thrown in ${name}`]],
    );
    for (const [exercise, run] of Object.entries(exercises))
      await run().catch((error: Error) => assert.fail(`${exercise} after a fault in ${name}: ${error.message}`));
    const metrics = await scrape(metricsPort);
    assert.match(metrics, new RegExp(`portal_handler_faults_total\\{boundary="${name}"\\} [1-9]`));
  }
});

async function askRedirect(port: number): Promise<void> {
  const request = httpGet({ host: '127.0.0.1', port, headers: { Host: 'portal.localhost' }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 308);
  response.resume();
}

/** Over a connection of its own. */
async function scrape(port: number): Promise<string> {
  const request = httpGet({ host: '127.0.0.1', port, path: '/metrics', agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return await text(response);
}

async function visit(relay: TestRelay, hostname: string, bytes: string): Promise<string> {
  return await send(await visitTls(relay, hostname), bytes.replace('HOST', hostname));
}

async function write(relay: TestRelay, bytes: string): Promise<void> {
  await send(await connectTls(relay), bytes);
}

async function send(socket: TLSSocket, bytes: string): Promise<string> {
  let answer = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.write(bytes);
  if (!socket.readableEnded) await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  socket.destroy();
  return answer;
}
