import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { RawCarrier } from '../../src/tunnel/carriers/raw-carrier.js';
import { WebSocketCarrier } from '../../src/tunnel/carriers/websocket-carrier.js';
import { register } from '../support/by-hand.js';
import { freePort, startTestRelay, type TestRelay } from '../support/relay.js';
import { listening } from '../support/tunnel.js';

/** A TLS record that does not authenticate, a frame in the clear, and what is neither. */
const garbage = [
  Buffer.from(`1703030013${'ab'.repeat(19)}`, 'hex'),
  Buffer.from('00000004deadbeef', 'hex'),
  Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  Buffer.from([0x15, 3, 3, 0, 2, 2, 40]),
];

/** What stands before the relay, and puts bytes before or behind the chunk of this number that comes from it. */
async function relayBehindBadBytes(t: TestContext): Promise<{ relay: TestRelay; bad: BadBytes }> {
  const sniPort = await freePort();
  const relay = await startTestRelay({ host: '127.0.0.2', sniPort });
  t.after(() => relay.stop());
  const bad: BadBytes = { chunk: Infinity, bytes: Buffer.alloc(0), before: false };
  const server = createServer((down) => {
    const { chunk: number, bytes, before } = bad;
    const up = connect(sniPort, '127.0.0.2');
    const pass = (from: Socket, to: Socket) => {
      from.on('error', () => {}).on('close', () => to.destroy());
      to.on('error', () => {});
    };
    pass(up, down);
    pass(down, up);
    down.on('data', (chunk) => up.write(chunk));
    let seen = 0;
    up.on('data', (chunk: Buffer) => {
      if (seen++ !== number) down.write(chunk);
      // In one piece, so that they are read together.
      else down.write(Buffer.concat(before ? [bytes, chunk] : [chunk, bytes]));
    });
  });
  await listening(t, server, sniPort);
  return { relay, bad };
}

interface BadBytes {
  chunk: number;
  bytes: Buffer;
  before: boolean;
}

for (const [name, carrierOf] of [
  ['unwrapped', (url: URL, transport: RelayTransport) => new RawCarrier(url, transport, { unwrap: true })],
  ['raw', (url: URL, transport: RelayTransport) => new RawCarrier(url, transport, { unwrap: false })],
  ['WebSocket', (url: URL, transport: RelayTransport) => new WebSocketCarrier(url, transport)],
] as const)
  test(`bad bytes at any moment of opening a session end that session and nothing else (${name})`, async (t) => {
    const { relay, bad } = await relayBehindBadBytes(t);
    const transport = new RelayTransport({ ca: relay.ca, proxy: false });
    t.after(() => transport.close());
    const { token } = await register({ ...relay, apiPort: relay.publicPort }, { name: 'bad' });
    const faults: Error[] = [];
    const onFault = (error: Error) => faults.push(error);
    process.on('uncaughtException', onFault);
    t.after(() => process.off('uncaughtException', onFault));
    const dial = async () => {
      const carrier = carrierOf(new URL(relay.url), transport);
      const { stream } = await carrier.dial({ accessToken: token, signal: AbortSignal.timeout(15_000) });
      stream.resume();
      stream.destroy();
    };
    for (let chunk = 0; chunk < 5; chunk++)
      for (const bytes of garbage)
        for (const before of [false, true]) {
          Object.assign(bad, { chunk, bytes, before });
          await dial().catch(() => undefined);
          assert.deepEqual(faults, [], `chunk ${chunk}, ${before ? 'before' : 'behind'}: ${bytes.toString('hex')}`);
        }
    bad.chunk = Infinity;
    await dial();
  });
