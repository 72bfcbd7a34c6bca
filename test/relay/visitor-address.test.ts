import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type Socket, connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { maxProxyV2Bytes, parseProxyHeader, proxyHeader } from '../../src/protocol/proxy-protocol.js';
import { type HeldLease, call, ended, openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { runProgram } from '../support/programs.js';
import { monotonicClock } from '../support/monotonic-clock.js';
import { type TestRelay, freePort, startTestRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';
import { requireTool } from '../support/tools.js';
import { temporaryDirectory } from '../support/tunnel.js';

const destination = { address: '198.51.100.10', port: 443 };
const v2 = (address: string) => proxyHeader({ source: { address, port: 51234 }, destination });

/** What a tunnel that asks for it is told of a visitor whose connection begins with these bytes. */
async function told(relay: TestRelay, lease: HeldLease, prefix: Buffer, dial = () => dialPublic(relay)) {
  const { socket } = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Portal-Proxy': '2' });
  const hello = await clientHello(lease.hostname);
  const visitor = await dial();
  for (const byte of prefix) await new Promise((resolve) => visitor.write(Buffer.from([byte]), resolve));
  visitor.write(hello);
  await readOpening(socket);
  const head = await readBytes(socket, 16);
  const rest = await readBytes(socket, head.readUInt16BE(14));
  assert.ok((await readBytes(socket, hello.length)).equals(hello));
  visitor.destroy();
  socket.destroy();
  return parseProxyHeader(Buffer.concat([head, rest]), 'v2')?.addresses;
}

describe('a trusted load balancer', () => {
  let relay: TestRelay;
  let lease: HeldLease;
  before(async () => {
    relay = await startTestRelay({ proxyProtocolFrom: ['127.0.0.0/8'] });
    lease = await register(relay, { name: 'behind', ttl: 600 });
  });
  after(() => relay.stop());

  test('sends the visitor address in PROXY v1 or v2, in any fragmentation', async () => {
    for (const [prefix, address, port] of [
      [Buffer.from('PROXY TCP4 203.0.113.50 198.51.100.10 51234 443\r\n'), '203.0.113.50', 51234],
      [Buffer.from('PROXY TCP6 2001:DB8:0::50 2001:db8::1 1 443\r\n'), '2001:db8::50', 1],
      [v2('203.0.113.7'), '203.0.113.7', 51234],
      [
        proxyHeader({ source: { address: '2001:db8::50', port: 9 }, destination: { address: '::1', port: 443 } }),
        '2001:db8::50',
        9,
      ],
    ] as const) {
      assert.deepEqual((await told(relay, lease, prefix))?.source, { address, port });
    }
  });

  test('may send no visitor address (LOCAL, UNKNOWN): then its own address is used', async () => {
    for (const prefix of [
      Buffer.from('PROXY UNKNOWN\r\n'),
      proxyHeader(undefined),
      Buffer.concat([proxyHeader(undefined).subarray(0, 14), Buffer.from([0, 3, 9, 9, 9])]),
    ]) {
      assert.equal((await told(relay, lease, prefix))?.source.address, '127.0.0.1');
    }
  });

  test('is disconnected if it sends no PROXY header', async () => {
    const tooLong = Buffer.concat([
      v2('203.0.113.7').subarray(0, 14),
      Buffer.from([(maxProxyV2Bytes - 15) >> 8, (maxProxyV2Bytes - 15) & 0xff]),
    ]);
    for (const bytes of [
      await clientHello(lease.hostname),
      Buffer.from('PROXY TCP4 203.0.113.50 198.51.100.10 51234 65536\r\n'),
      Buffer.from('PROXY TCP4 2001:db8::1 198.51.100.10 51234 443\r\n'),
      Buffer.from('PROXY TCP4 203.0.113.50 198.51.100.10 51234 443 \r\n'),
      Buffer.from('PROXY UDP4 203.0.113.50 198.51.100.10 51234 443\r\n'),
      Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`),
      Buffer.from('PROXY\n'),
      tooLong,
      Buffer.concat([v2('203.0.113.7').subarray(0, 13), Buffer.from([0x12, 0, 12])]),
      Buffer.concat([v2('203.0.113.7').subarray(0, 14), Buffer.from([0, 11])]),
      Buffer.concat([v2('203.0.113.7').subarray(0, 12), Buffer.from([0x11, 0x11, 0, 12])]),
      randomish(64),
    ]) {
      const visitor = await dialPublic(relay);
      visitor.on('error', () => {});
      visitor.write(bytes);
      assert.equal((await buffer(visitor).catch(() => Buffer.alloc(0))).length, 0, bytes.toString('latin1'));
    }
  });

  test('is disconnected if its PROXY header is late or truncated', async () => {
    const [silent, halfway] = [await dialPublic(relay), await dialPublic(relay)];
    halfway.write('PROXY TCP4 203.0');
    const cut = await dialPublic(relay);
    cut.end(v2('203.0.113.7').subarray(0, 20));
    await Promise.all([silent, halfway, cut].map(ended));
  });

  test('can be curl --haproxy-protocol, to the API', async () => {
    const curl = await requireTool('curl');
    const url = `${relay.url}/healthz`;
    const resolve = `${relay.rootHost}:${relay.publicPort}:127.0.0.1`;
    const args = ['--silent', '--show-error', '--max-time', '10', '--cacert', relay.caFile, '--resolve', resolve];
    const answer = await runProgram(curl, [...args, '--haproxy-protocol', url]);
    assert.match(String(answer.stdout), /"ok":true/);
    assert.notEqual((await runProgram(curl, [...args, url])).code, 0);
  });

  test('can be haproxy', async (t) => {
    const port = await startHaproxy(t, relay.publicPort);
    const dial = async () => {
      const socket = connectTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.9' });
      await once(socket, 'connect');
      return socket;
    };
    assert.equal((await told(relay, lease, Buffer.alloc(0), dial))?.source.address, '127.0.0.9');
  });
});

test('limits by source apply to each visitor of a load balancer separately', async () => {
  const relay = await startTestRelay({ proxyProtocolFrom: ['127.0.0.1'], maxConnectionsPerSource: 2 });
  try {
    const open: Socket[] = [];
    const enter = async (address: string) => {
      const visitor = await dialPublic(relay);
      visitor.on('error', () => {});
      visitor.write(v2(address));
      open.push(visitor);
      return visitor;
    };
    for (const address of ['203.0.113.1', '203.0.113.1', '203.0.113.2', '203.0.113.2']) await enter(address);
    await ended(await enter('203.0.113.1'));
    open[0]!.destroy();
    await ended(open[0]!);
    const again = await enter('203.0.113.3');
    again.write(await clientHello(`nobody.${relay.rootHost}`));
    assert.equal((await buffer(again))[0], 21);
    for (const socket of open) socket.destroy();
  } finally {
    await relay.stop();
  }
});

test('a PROXY header from an untrusted peer is refused as an invalid ClientHello', async () => {
  const relay = await startTestRelay({ proxyProtocolFrom: ['192.0.2.0/24', '2001:db8::/32'] });
  try {
    const hello = await clientHello(relay.rootHost);
    for (const header of [v2('203.0.113.7'), Buffer.from('PROXY TCP4 203.0.113.50 198.51.100.10 51234 443\r\n')]) {
      const visitor = await dialPublic(relay);
      visitor.on('error', () => {});
      visitor.write(Buffer.concat([header, hello]));
      const answer = await buffer(visitor).catch(() => Buffer.alloc(0));
      assert.ok(answer.length === 0 || answer[0] === 21, answer.toString('hex'));
    }
    const lease = await register(relay, { name: 'direct', ttl: 600 });
    assert.equal((await told(relay, lease, Buffer.alloc(0)))?.source.address, '127.0.0.1');
  } finally {
    await relay.stop();
  }
});

/** How often a token that is not the relay's is looked at before its sender is to wait. */
const tokenFailures = 100;
const badToken = { 'X-Portal-Access-Token': 'none', 'X-Portal-Binding': '1' };

/** What failures used up comes back with time. */
const freezeClock = (t: TestContext) => monotonicClock(t, true);

/** Uses up what an address may fail, and tells who else has to wait then: by a call, by both raw carriers. */
async function waits(relay: TestRelay, forwardedFor: string[], used: string): Promise<boolean[]> {
  for (let n = 0; n < tokenFailures; n++) {
    await call(relay, 'GET', '/tunnel/status?hostname=x', { token: 'none', headers: { 'X-Forwarded-For': used } });
  }
  return await Promise.all(
    forwardedFor.map(async (value) => {
      const headers = { 'X-Forwarded-For': value };
      const statuses = [
        (await call(relay, 'GET', '/tunnel/status?hostname=x', { token: 'none', headers })).status,
        (await openSession(relay, { ...badToken, ...headers })).status,
        (await openSession(relay, { ...badToken, ...headers, Connection: 'Upgrade', Upgrade: 'portal-reverse' }))
          .status,
      ];
      assert.equal(new Set(statuses).size, 1, statuses.join());
      return statuses[0] === 429;
    }),
  );
}

test('X-Forwarded-For is read from trusted proxies, back to the first untrusted address', async (t) => {
  freezeClock(t);
  const relay = await startTestRelay({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
  try {
    const asked = [
      '203.0.113.1',
      '198.51.100.1, 203.0.113.1',
      '203.0.113.1:4711',
      '203.0.113.1, 10.1.2.3',
      '203.0.113.2',
      '203.0.113.1, 203.0.113.2',
      '203.0.113.1, nonsense',
      '',
    ];
    assert.deepEqual(await waits(relay, asked, '203.0.113.1'), [true, true, true, true, false, false, false, false]);
  } finally {
    await relay.stop();
  }
});

test('X-Forwarded-For from an untrusted peer is ignored', async (t) => {
  freezeClock(t);
  const relay = await startTestRelay({ trustedProxies: ['192.0.2.0/24'] });
  try {
    assert.deepEqual(await waits(relay, ['203.0.113.2', '127.0.0.1'], '203.0.113.1'), [true, true]);
  } finally {
    await relay.stop();
  }
});

test('API calls through a load balancer count against their client', async (t) => {
  freezeClock(t);
  const relay = await startTestRelay({ proxyProtocolFrom: ['127.0.0.1'], trustedProxies: ['198.51.100.0/24'] });
  try {
    const visit = async (address: string, count: number, forwardedFor: string): Promise<number> => {
      const raw = await dialPublic(relay);
      raw.write(v2(address));
      const socket = connectTls({ socket: raw, servername: relay.rootHost, ca: relay.ca });
      await once(socket, 'secureConnect');
      let status = 0;
      for (let n = 0; n < count; n++) {
        socket.write(
          `GET /tunnel/status?hostname=x HTTP/1.1\r\nHost: x\r\nX-Portal-Access-Token: none\r\nX-Forwarded-For: ${forwardedFor}\r\n\r\n`,
        );
        let answer = '';
        while (!answer.includes('\r\n\r\n')) answer += String(await readBytes(socket, 1));
        await readBytes(socket, Number(/content-length: (\d+)/i.exec(answer)?.[1]));
        status = Number(answer.split(' ')[1]);
      }
      socket.destroy();
      raw.destroy();
      return status;
    };
    assert.equal(await visit('203.0.113.1', tokenFailures, '203.0.113.9'), 401);
    assert.equal(await visit('203.0.113.1', 1, '203.0.113.8'), 429);
    assert.equal(await visit('203.0.113.9', 1, ''), 401);
    assert.equal(await visit('198.51.100.1', 1, '203.0.113.1'), 429);
  } finally {
    await relay.stop();
  }
});

/** @returns the port of a haproxy that passes TCP on to the relay, with a PROXY v2 header */
async function startHaproxy(t: TestContext, relayPort: number): Promise<number> {
  const haproxy = await requireTool('haproxy');
  const port = await freePort();
  const file = join(temporaryDirectory(t), 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen relay
  bind 127.0.0.1:${port}
  server relay 127.0.0.1:${relayPort} send-proxy-v2
`,
  );
  const child = spawn(haproxy, ['-db', '-f', file], { stdio: 'ignore' });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  for (;;) {
    const probe = connectTcp(port, '127.0.0.1');
    const [outcome] = await Promise.race([once(probe, 'connect').then(() => ['up']), once(probe, 'close')]).catch(
      () => ['down'],
    );
    probe.on('error', () => {}).destroy();
    if (outcome === 'up') return port;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Bytes that are neither TLS nor PROXY, always the same. */
const randomish = (length: number) => Buffer.from(Array.from({ length }, (_, at) => (at * 73 + 200) & 0xff));
