import assert from 'node:assert/strict';
import { X509Certificate, verify } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { type SignRequest, TlsServerStream } from '../../src/tls/index.js';
import { type HeldLease, call, ended, openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { freePort, sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic, endVisit, readOpening, signCall, visit } from '../support/tenant.js';

const metricsPort = await freePort();
const relay = sharedRelay({ metricsPort }, async () => {
  lease = await register(relay, { name: 'tenant', ttl: 600 });
});
let lease: HeldLease;

// The helpers that read by hand leave listeners behind.
EventEmitter.defaultMaxListeners = 100;

const headers = (token = lease.token) => ({
  ...sessionHeaders(token),
  'X-Portal-Recycle': '1',
  'X-Portal-Sign': '1',
});
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

interface Asked {
  request: SignRequest;
  binding: Buffer;
  /** The message that an honest tunnel sends. */
  honest: Buffer;
}

function message({ request }: { request: SignRequest }): Buffer {
  const scheme = Buffer.alloc(2);
  scheme.writeUInt16BE(request.scheme);
  return Buffer.concat([scheme, request.transcript]);
}

/** One visitor, served as far as the signature, which is requested inside the session. */
async function handshake(
  alter: (asked: Asked) => Buffer | Promise<Buffer> = ({ honest }) => honest,
  at = { relay, lease },
) {
  const { socket, head } = await openSession(at.relay, headers(at.lease.token));
  assert.match(head, /^X-Portal-Sign: 1\r$/im);
  const visitor = visit(at.relay, at.lease.hostname);
  const { binding } = await readOpening(socket);
  const answers = new EventEmitter();
  const channel = new FramedChannel(
    socket,
    () => {},
    (answer) => answers.emit('message', answer),
  );
  channel.on('error', () => {});
  let content: Buffer | undefined;
  return await new Promise<{
    visitor: TLSSocket;
    tenant: TlsServerStream;
    channel: FramedChannel;
    socket: TLSSocket;
    binding: Buffer;
    content: Buffer | undefined;
    status: number;
    body: Buffer;
  }>((resolve, reject) => {
    const tenant = new TlsServerStream(channel, {
      chain: [...at.relay.certificatePem.matchAll(pemBlock)].map(([pem]) => new X509Certificate(pem).raw),
      schemes: [0x0403],
      alpn: ['http/1.1'],
      async sign(request) {
        content = request.content;
        try {
          const altered = await alter({ request, binding, honest: message({ request }) });
          const answered = once(answers, 'message');
          channel.sendSigning(altered);
          const [answer] = (await answered) as [Buffer];
          const [status, body] = [answer.readUInt16BE(0), answer.subarray(2)];
          resolve({ visitor, tenant, channel, socket, binding, content, status, body });
          if (status !== 200) throw new Error('not signed');
          return body;
        } catch (error) {
          reject(error as Error);
          throw error;
        }
      },
    });
    tenant.on('error', () => {});
  });
}

/** Without this the recycled session would wait for the next visitor. */
async function end(served: Awaited<ReturnType<typeof handshake>>): Promise<void> {
  served.socket.destroy();
  await endVisit(served);
}

/** Waits until the relay has ended or reset a connection. */
const closed = (stream: Duplex) =>
  new Promise<void>((resolve) => stream.once('end', () => resolve()).once('close', () => resolve()));

async function metric(line: RegExp): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? 0);
}
const signed = () => metric(/^portal_signatures_total\{mode="transcript",result="ok"\} (\d+)/m);
const refused = () => metric(/^portal_signatures_total\{mode="transcript",result="invalid_request"\} (\d+)/m);

test('a handshake is signed inside its session, and its visitor gets the certificate of the relay', async () => {
  const before = await signed();
  const served = await handshake();
  assert.equal(served.status, 200);
  const key = new X509Certificate(relay.certificatePem).publicKey;
  assert.ok(verify('sha256', served.content as Buffer, key, served.body));
  await once(served.visitor, 'secureConnect');
  assert.equal(served.visitor.authorized, true);
  served.visitor.write('ping');
  assert.equal(String((await once(served.tenant, 'data'))[0]), 'ping');
  served.tenant.write('pong');
  assert.equal(String((await once(served.visitor, 'data'))[0]), 'pong');
  assert.equal((await signed()) - before, 1);
  await end(served);
});

const code = (body: Buffer) => (JSON.parse(String(body)) as { error: { code: string } }).error.code;

for (const [what, alter] of [
  ['an altered transcript', ({ honest }: Asked) => (honest.writeUInt8(honest[60]! ^ 1, 60), honest)],
  ['a truncated transcript', ({ honest }: Asked) => honest.subarray(0, -1)],
  ['an unknown scheme', ({ honest }: Asked) => (honest.writeUInt16BE(0x7777), honest)],
  ['a scheme of another key', ({ honest }: Asked) => (honest.writeUInt16BE(0x0804), honest)],
  ['a message of one byte', () => Buffer.from([4])],
  ['an empty message', () => Buffer.alloc(0)],
] as const) {
  test(`${what} is not signed inside a session either`, async () => {
    const served = await handshake(alter);
    assert.equal(served.status, 400);
    assert.equal(code(served.body), 'invalid_request');
    await end(served);
  });
}

const asCall = ({ request, binding }: Pick<Asked, 'request' | 'binding'>) => ({
  key_id: 'relay-cert',
  binding: binding.toString('base64'),
  signature_scheme: request.schemeName,
  transcript: request.transcript.toString('base64'),
});

test('a binding used by signHandshake is not signed again inside the session', async () => {
  const before = await refused();
  const served = await handshake(async (asked) => {
    assert.equal((await signCall(relay, lease.token, asCall(asked))).status, 200);
    return asked.honest;
  });
  assert.deepEqual([served.status, code(served.body)], [400, 'invalid_request']);
  assert.equal((await refused()) - before, 1);
  await end(served);
});

test('a binding used inside the session is refused by signHandshake', async () => {
  let body: ReturnType<typeof asCall> | undefined;
  const served = await handshake((asked) => ((body = asCall(asked)), asked.honest));
  assert.equal(served.status, 200);
  const again = await signCall(relay, lease.token, body);
  assert.equal(again.body.error.code, 'invalid_request');
  await end(served);
});

test('a second signing message closes the session', async () => {
  const served = await handshake();
  await once(served.visitor, 'secureConnect');
  const gone = closed(served.visitor);
  served.channel.sendSigning(Buffer.from('once more'));
  await gone;
  await ended(served.socket);
  await end(served);
});

test('a session whose lease was unregistered meanwhile gets no signature', async () => {
  const other = await register(relay, { name: 'leaves', ttl: 600 });
  const served = await handshake(
    async ({ honest }) => {
      assert.equal((await call(relay, 'POST', '/sdk/unregister', { token: other.token, body: {} })).status, 200);
      return honest;
    },
    { relay, lease: other },
  );
  assert.deepEqual([served.status, code(served.body)], [404, 'lease_not_found']);
  await end(served);
});

/** A claimed session by hand: its visitor's ClientHello has been read. */
async function claimed(extra: Record<string, string> = headers()) {
  const { socket: session, head } = await openSession(relay, extra);
  const hello = await clientHello(lease.hostname);
  const visitor = await dialPublic(relay);
  visitor.on('error', () => {});
  visitor.write(hello);
  await readOpening(session);
  return { session, visitor, head };
}

for (const [what, bytes] of [
  ['a signing message of 65,539 bytes', Buffer.from('fffffffd00010003', 'hex')],
  ['a signing message inside another', Buffer.from('fffffffd00000002fffffffd00000002ffff', 'hex')],
] as const) {
  test(`${what} closes the session`, async () => {
    const { session, visitor } = await claimed();
    const gone = closed(visitor.resume());
    session.write(bytes);
    await ended(session);
    await gone;
  });
}

test('a signing message that was not agreed on closes the session', async () => {
  const without = { ...sessionHeaders(lease.token), 'X-Portal-Recycle': '1' };
  const { session, visitor, head } = await claimed(without);
  assert.doesNotMatch(head, /X-Portal-Sign/i);
  const gone = closed(visitor.resume());
  session.write(Buffer.from('fffffffd000000020403', 'hex'));
  await ended(session);
  await gone;
});

test('a signing message that arrives one byte at a time is answered', async () => {
  const { session, visitor } = await claimed();
  session.setNoDelay(true);
  for (const byte of Buffer.from('fffffffd000000020403', 'hex')) session.write(Buffer.from([byte]));
  // The frame of the ClientHello comes first.
  await readBytes(session, (await readBytes(session, 4)).readUInt32BE(0));
  assert.equal((await readBytes(session, 4)).toString('hex'), 'fffffffd');
  const answer = await readBytes(session, (await readBytes(session, 4)).readUInt32BE(0));
  assert.equal(answer.readUInt16BE(0), 400);
  assert.equal(code(answer.subarray(2)), 'invalid_request');
  visitor.destroy();
  session.destroy();
});

test('a truncated signing message holds only its own visitor', async () => {
  const { session, visitor } = await claimed();
  session.write(Buffer.from('fffffffd00010002040303', 'hex'));
  const served = await handshake();
  assert.equal(served.status, 200);
  await end(served);
  session.destroy();
  await closed(visitor.resume());
});

test('signing inside the session needs recycling and a binding', async () => {
  for (const missing of ['X-Portal-Recycle', 'X-Portal-Binding']) {
    const rest = Object.entries(headers()).filter(([name]) => name !== missing);
    const opened = await openSession(relay, Object.fromEntries(rest));
    assert.doesNotMatch(opened.head, /X-Portal-Sign/i, missing);
    opened.socket.destroy();
  }
  const { status, body } = await openSession(relay, { ...headers(), 'X-Portal-Sign': 'yes' });
  assert.deepEqual([status, body.error.code], [400, 'invalid_request']);
});

test('a WebSocket is told that handshakes are signed inside the session', async () => {
  const socket = new WebSocket(`wss://${relay.rootHost}:${relay.apiPort}/sdk/connect`, ['portal.reverse'], {
    ca: relay.ca,
    headers: headers(),
    lookup: (_host, options, done) =>
      options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
  });
  const [response] = (await once(socket, 'upgrade')) as [{ headers: Record<string, string> }];
  assert.equal(response.headers['x-portal-sign'], '1');
  socket.terminate();
});
