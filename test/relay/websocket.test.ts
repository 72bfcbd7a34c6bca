import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';
import { type HeldLease, call, ended, openSession, readAll, register, sessionHeaders } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic } from '../support/tenant.js';
import { requireTool } from '../support/tools.js';
import { until } from '../support/until.js';

const relay = sharedRelay({}, async () => {
  lease = await register(relay, { name: 'tenant', ttl: 600 });
});
let lease: HeldLease;

interface Opened {
  socket: WebSocket;
  /** Messages as they come; an empty one is the end of the direction. */
  messages: AsyncIterator<Buffer>;
}

/** `ws` hands its options on to tls.connect, which its types do not know. */
const trusting = () => ({ ca: relay.ca, servername: relay.rootHost }) as object;

function offer(protocols: string[], headers: Record<string, string> = {}, path = '/sdk/connect'): WebSocket {
  return new WebSocket(`wss://127.0.0.1:${relay.apiPort}${path}`, protocols, {
    ...trusting(),
    headers,
  });
}

async function open(
  protocols = ['portal.reverse'],
  headers: Record<string, string> = sessionHeaders(lease.token),
): Promise<Opened> {
  const socket = offer(protocols, headers);
  const queue: Buffer[] = [];
  socket.on('message', (data: Buffer) => queue.push(data));
  await once(socket, 'open');
  const messages = {
    async next() {
      await until(() => queue.length > 0);
      return { done: false as const, value: queue.shift() as Buffer };
    },
  };
  return { socket, messages };
}

/** The refusal of a handshake: its status and envelope. */
async function refusal(socket: WebSocket): Promise<{ status: number; code: string; head: string }> {
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  const chunks = await response.toArray();
  return {
    status: response.statusCode,
    code: JSON.parse(Buffer.concat(chunks).toString()).error.code,
    head: JSON.stringify(response.headers),
  };
}

async function readFrom({ messages }: Opened, length: number): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  while (bytes.length < length) bytes = Buffer.concat([bytes, (await messages.next()).value as Buffer]);
  return bytes;
}

/** A visitor joined to an open session: marker, binding and ClientHello read. */
async function joined(opened: Opened): Promise<Socket> {
  const hello = await clientHello(lease.hostname);
  const visitor = await dialPublic(relay);
  visitor.write(hello);
  const bytes = await readFrom(opened, 17 + hello.length);
  assert.equal(bytes[0], 2);
  assert.ok(bytes.subarray(17).equals(hello));
  return visitor;
}

test('a WebSocket session uses binary messages, and an empty message ends a direction', async () => {
  const opened = await open();
  assert.equal(opened.socket.protocol, 'portal.reverse');
  const visitor = await joined(opened);
  visitor.end('from the visitor');
  assert.equal(String(await readFrom(opened, 16)), 'from the visitor');
  assert.equal(((await opened.messages.next()).value as Buffer).length, 0, 'the end');
  opened.socket.send(Buffer.from('from the tunnel'), { binary: true });
  opened.socket.send(Buffer.alloc(0), { binary: true });
  assert.equal(String(await readAll(visitor)), 'from the tunnel');
  const [code] = await once(opened.socket, 'close');
  assert.equal(code, 1000);
});

test('a client that cannot set headers sends token and binding as subprotocols, which are never echoed', async () => {
  const opened = await open(['portal.reverse', 'portal.binding.1', `portal.token.${lease.token}`], {});
  assert.equal(opened.socket.protocol, 'portal.reverse');
  const visitor = await joined(opened);
  visitor.destroy();
  opened.socket.terminate();
});

test('refusals of a WebSocket are ordinary error responses', async () => {
  const cases: [string[], Record<string, string>, number, string][] = [
    [['portal.reverse'], {}, 401, 'unauthorized'],
    [['portal.reverse', 'portal.binding.1', 'portal.token.nonsense'], {}, 401, 'unauthorized'],
    [['portal.reverse', 'portal.token.nonsense'], sessionHeaders(lease.token), 400, 'invalid_request'],
    [['portal.reverse'], { 'X-Portal-Access-Token': lease.token }, 503, 'feature_unavailable'],
    [['other'], sessionHeaders(lease.token), 400, 'invalid_request'],
    [['portal.datagram'], sessionHeaders(lease.token), 409, 'transport_mismatch'],
  ];
  for (const [protocols, headers, status, code] of cases) {
    const { head, ...refused } = await refusal(offer(protocols, headers));
    assert.deepEqual(refused, { status, code }, protocols.join());
    assert.ok(!head.includes('portal.token'));
  }
  const query = await refusal(
    offer(['portal.reverse', 'portal.binding.1'], {}, `/sdk/connect?access_token=${lease.token}`),
  );
  assert.equal(query.code, 'unauthorized');
});

test('an invalid WebSocket handshake is invalid_request', async () => {
  const headers = {
    ...sessionHeaders(lease.token),
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Protocol': 'portal.reverse',
  };
  const answer = await openSession(relay, headers);
  assert.deepEqual([answer.status, answer.body.error.code], [400, 'invalid_request']);
  answer.socket.destroy();
});

test('a text message, an early message or a too long message closes the session', async () => {
  for (const message of ['text', Buffer.from([1]), Buffer.alloc((1 << 20) + 1)]) {
    const { socket } = await open();
    socket.send(message);
    await once(socket, 'close');
  }
  const status = await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { token: lease.token });
  assert.equal(status.body.data.service_alive, false);
});

test('a lost WebSocket resets its visitor; a visitor’s reset closes the WebSocket', async () => {
  const first = await open();
  const visitor = await joined(first);
  first.socket.terminate();
  await ended(visitor);
  const second = await open();
  (await joined(second)).resetAndDestroy();
  await once(second.socket, 'close');
});

test('48 MB each way at once arrive intact over WebSocket, with a reader that pauses', async () => {
  const opened = await open();
  const visitor = await joined(opened);
  opened.socket.removeAllListeners('message');
  const chunks = Array.from({ length: 96 }, () => randomBytes(1 << 19));
  const expected = createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
  const got = createHash('sha256');
  let count = 0;
  const toTunnel = new Promise<void>((resolve) => {
    opened.socket.on('message', (data: Buffer) => {
      if (data.length === 0) return resolve();
      got.update(data);
      if (++count % 50 !== 0) return;
      opened.socket.pause();
      setImmediate(() => opened.socket.resume());
    });
  });
  const toVisitor = readAll(visitor);
  for (const chunk of chunks) {
    const sent = new Promise((resolve) => opened.socket.send(chunk, { binary: true }, resolve));
    if (!visitor.write(chunk)) await once(visitor, 'drain');
    await sent;
  }
  visitor.end();
  opened.socket.send(Buffer.alloc(0), { binary: true });
  await toTunnel;
  assert.equal(got.digest('hex'), expected);
  assert.equal(
    createHash('sha256')
      .update(await toVisitor)
      .digest('hex'),
    expected,
  );
});

test('a page in Chromium opens a session, and reads the marker, the binding and the ClientHello', async () => {
  const profile = mkdtempSync(join(tmpdir(), 'portal-chromium-'));
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: await requireTool('chromium'),
    ignoreHTTPSErrors: true,
    args: ['--no-sandbox', '--disable-gpu', ...quiet],
  });
  try {
    const page = await context.newPage();
    const protocol = await page.evaluate(
      `new Promise((resolve, reject) => {
        window.got = [];
        const socket = new WebSocket('wss://${relay.rootHost}:${relay.publicPort}/sdk/connect',
          ['portal.reverse', 'portal.binding.1', 'portal.token.${lease.token}']);
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => resolve(socket.protocol);
        socket.onerror = () => reject(new Error('refused'));
        socket.onmessage = ({ data }) => window.got.push(...new Uint8Array(data));
      })`,
    );
    assert.equal(protocol, 'portal.reverse');
    const hello = await clientHello(lease.hostname);
    const visitor = await dialPublic(relay);
    visitor.write(hello);
    await page.waitForFunction(`window.got.length >= ${17 + hello.length}`);
    const got = Buffer.from((await page.evaluate('window.got')) as number[]);
    assert.equal(got[0], 2);
    assert.ok(got.subarray(17).equals(hello));
    visitor.destroy();
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test('an upgrade on the public port under the root host works too', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}/sdk/connect`, ['portal.reverse'], {
    ...trusting(),
    headers: sessionHeaders(lease.token),
  });
  await once(socket, 'open');
  socket.terminate();
});

test('an endless message closes a waiting session, control frames do not', async () => {
  const opened = await open();
  for (let count = 0; count < 200; count++) {
    opened.socket.ping(Buffer.alloc(125));
    await once(opened.socket, 'pong');
  }
  const visitor = await joined(opened);
  // Of a live connection it is taken as a part of what comes.
  opened.socket.send(Buffer.alloc(50_000, 'a'), { fin: false });
  opened.socket.send(Buffer.alloc(50_000, 'b'), { fin: true });
  let received = 0;
  for await (const chunk of visitor) if ((received += (chunk as Buffer).length) >= 100_000) break;
  visitor.destroy();
  opened.socket.terminate();

  const waiting = await open();
  waiting.socket.on('error', () => {});
  const closed = once(waiting.socket, 'close');
  waiting.socket.send(Buffer.alloc(50_000), { fin: false });
  await closed;
  const many = await open();
  many.socket.on('error', () => {});
  const ended = once(many.socket, 'close');
  const drip = () => {
    if (many.socket.readyState === WebSocket.OPEN) many.socket.send(Buffer.alloc(100), { fin: false }, drip);
  };
  drip();
  await ended;
});
