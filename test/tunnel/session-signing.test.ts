import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { SessionSigning } from '../../src/tunnel/link/session-signing.js';
import { startNginx } from '../support/nginx.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

/** A relay that counts calls of `signHandshake`. */
async function countingRelay(t: TestContext, overrides: Parameters<typeof startTestRelay>[0] = {}) {
  const counted = { calls: 0 };
  const relay = await startTestRelay(overrides, {
    wrapHandlers: (handlers) => ({
      ...handlers,
      signHandshake: async (...args) => {
        counted.calls++;
        await handlers.signHandshake!(...args);
      },
    }),
  });
  t.after(() => relay.stop());
  return { relay, counted };
}

for (const [name, options] of [
  ['an unwrapped session', {}],
  ['a session with TLS', { unwrap: false }],
  ['a WebSocket session', { carrier: 'ws' }],
] as const) {
  test(`handshakes over ${name} are signed without a call of signHandshake`, async (t) => {
    const { relay, counted } = await countingRelay(t);
    const service = await startHttpService(t, (_request, response) => response.end('signed'));
    const { hostname, tunnel } = await openTunnel(t, relay, service.port, options);
    const resumed: unknown[] = [];
    tunnel.on('connection', (report) => resumed.push(report.resumed));
    for (let visitor = 0; visitor < 5; visitor++) assert.equal((await get(relay, hostname)).body, 'signed');
    await until(() => resumed.length >= 5);
    assert.ok(resumed.every((each) => each === false));
    assert.equal(counted.calls, 0);
  });
}

test('a relay that does not offer it is asked by signHandshake', async (t) => {
  const port = await freePort();
  const { relay, counted } = await countingRelay(t, { portalUrl: new URL(`https://portal.localhost:${port}`) });
  await startNginx(t, { port, relay, passes: 'every upgrade', hides: 'X-Portal-Sign' });
  const service = await startHttpService(t, (_request, response) => response.end('signed'));
  const { hostname } = await openTunnel(t, relay, service.port, { probe: false });
  // The relay expects nothing: it has agreed, and the tunnel did not hear of it.
  for (let visitor = 0; visitor < 3; visitor++) assert.equal((await get(relay, hostname)).body, 'signed');
  assert.equal(counted.calls, 3);
});

function bench(): { signing: SessionSigning; channel: FramedChannel; relay: Duplex; errors: Error[] } {
  const [session, relay] = duplexPair();
  const signing = new SessionSigning();
  const channel = new FramedChannel(session, () => {}, signing.onMessage);
  const errors: Error[] = [];
  channel.on('error', (error) => errors.push(error)).resume();
  signing.attach(channel);
  relay.on('error', () => {});
  return { signing, channel, relay, errors };
}

function message(status: number, body: Buffer | string): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(0xffff_fffd);
  head.writeUInt32BE(2 + Buffer.byteLength(body), 4);
  head.writeUInt16BE(status, 8);
  return Buffer.concat([head, Buffer.from(body as Buffer)]);
}

const request = { scheme: 0x0403, transcript: Buffer.from('transcript') };
const signal = new AbortController().signal;

test('the signature of the response is what the tunnel gets', async () => {
  const { signing, relay } = bench();
  const signed = signing.sign(request, signal);
  await until(() => relay.readableLength > 0);
  assert.equal((relay.read() as Buffer).toString('hex'), 'fffffffd0000000c0403' + request.transcript.toString('hex'));
  relay.write(message(200, 'signature'));
  assert.equal(String(await signed), 'signature');
});

for (const [name, bytes, expected] of [
  [
    'an error envelope',
    message(409, '{"ok":false,"error":{"code":"hostname_conflict","message":"another has it"}}'),
    { name: 'ApiError', code: 'hostname_conflict', status: 409, message: /another has it/ },
  ],
  ['a status without an envelope', message(500, '<html>'), { name: 'AnswerError' }],
  ['an empty signature', message(200, ''), { name: 'AnswerError' }],
  ['a signature of 1,025 bytes', message(200, Buffer.alloc(1_025)), { name: 'AnswerError' }],
  ['a message without a status', Buffer.from('fffffffd0000000100', 'hex'), { name: 'AnswerError' }],
] as const) {
  test(`${name} in place of a signature is an error`, async () => {
    const { signing, relay } = bench();
    const signed = signing.sign(request, signal);
    relay.write(bytes);
    await assert.rejects(signed, expected);
  });
}

test('a signature that was not requested closes the session', async () => {
  const { channel, relay, errors } = bench();
  relay.write(message(200, 'signature'));
  await until(() => channel.destroyed);
  assert.match(errors[0]!.message, /was not requested/);
});

test('a session that is lost before the signature is a network error, before and after the request', async () => {
  const { signing, channel, relay } = bench();
  const signed = signing.sign(request, signal);
  relay.end();
  await assert.rejects(signed, { name: 'NetworkError' });
  await until(() => channel.destroyed);
  await assert.rejects(signing.sign(request, signal), { name: 'NetworkError' });
});

test('an abort ends the wait for a signature', async () => {
  const { signing } = bench();
  const stop = new AbortController();
  const signed = signing.sign(request, stop.signal);
  stop.abort(new Error('the visitor has left'));
  await assert.rejects(signed, /the visitor has left/);
});
