import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { reuse } from '../../src/net/pooled-reads.js';
import { freshKeys, sealedFirstBytes } from '../../src/unwrap/session-records.js';
import { UnwrappedSession } from '../../src/unwrap/unwrapped-session.js';
import { hashOf, readFast, readSlowly, socketPair } from '../support/socket-pairs.js';
import { UnwrappedPeer, control, endMark, frame, frames } from '../support/unwrapped-peer.js';
import { until } from '../support/until.js';

/** The tunnel's end of a session, and the relay's made by hand. */
async function tunnelEnd(t: TestContext): Promise<{ session: UnwrappedSession; peer: UnwrappedPeer; far: Socket }> {
  const { accepted, client } = await socketPair(t, 'tcp');
  const exporter = randomBytes(64);
  const secrets = freshKeys(exporter.subarray(0, 32), exporter.subarray(32));
  const session = new UnwrappedSession(accepted, secrets, { send: 0, receive: sealedFirstBytes });
  session.on('error', () => {});
  return { session, peer: new UnwrappedPeer('relay', exporter), far: client };
}

/** Both ends as they are between a relay and a tunnel. */
async function bothEnds(t: TestContext): Promise<{ relay: UnwrappedSession; tunnel: UnwrappedSession }> {
  const { accepted, client } = await socketPair(t, 'tcp');
  const [ofTunnel, ofRelay] = [randomBytes(32), randomBytes(32)];
  return {
    relay: new UnwrappedSession(accepted, freshKeys(ofRelay, ofTunnel), { send: sealedFirstBytes, receive: 0 }),
    tunnel: new UnwrappedSession(client, freshKeys(ofTunnel, ofRelay), { send: 0, receive: sealedFirstBytes }),
  };
}

async function isRefused(session: UnwrappedSession): Promise<boolean> {
  session.resume();
  if (!session.closed) await new Promise<void>((resolve) => session.once('close', () => resolve()));
  return session.errored !== null;
}

/** Frames whose record holds so many bytes of content. */
const recordOf = (length: number): Buffer => frame(randomBytes(length - 4));

test('a frame in the clear is accepted after 40,960 encrypted bytes of frames, not earlier', async (t) => {
  for (const [last, isTaken] of [
    [8_960, true],
    [8_959, false],
  ] as const) {
    const { session, peer, far } = await tunnelEnd(t);
    far.write(peer.seal(control, Buffer.alloc(17, 2)));
    for (const length of [16_000, 16_000, last]) far.write(peer.seal(frames, recordOf(length)));
    const wanted = 17 + 32_000 + last + 4 + 5;
    far.write(frame(Buffer.from('clear')));
    if (!isTaken) {
      assert.ok(await isRefused(session));
      continue;
    }
    let heard = 0;
    session.on('data', (chunk: Buffer) => (heard += chunk.length));
    await until(() => heard >= wanted);
    assert.equal(heard, wanted);
    session.destroy();
  }
});

test('any other encrypted record resets the count: an end, a keepalive, an opening', async (t) => {
  for (const between of [endMark, Buffer.from([0]), Buffer.alloc(17, 2)]) {
    const { session, peer, far } = await tunnelEnd(t);
    for (let i = 0; i < 3; i++) far.write(peer.seal(frames, recordOf(16_000)));
    far.write(frame(Buffer.from('clear')));
    far.write(peer.seal(control, between));
    far.write(frame(Buffer.from('clear')));
    assert.ok(await isRefused(session));
  }
});

test('a frame in the clear cannot look like a keepalive, an opening or an end', async (t) => {
  // As session bytes these would be: keepalives, 0x02, a binding and a PROXY header of somebody's choice.
  const forged = Buffer.concat([Buffer.from('00000200', 'hex'), randomBytes(512)]);
  const { session, peer, far } = await tunnelEnd(t);
  far.write(peer.seal(control, '\0'));
  far.write(forged);
  const heard: Buffer[] = [];
  session.on('data', (chunk: Buffer) => heard.push(chunk));
  assert.ok(await isRefused(session));
  assert.deepEqual(Buffer.concat(heard), Buffer.from([0]));
});

test('records and frames arrive intact in any fragmentation', async (t) => {
  for (let round = 0; round < 20; round++) {
    const { session, peer, far } = await tunnelEnd(t);
    const [wire, content]: [Buffer[], Buffer[]] = [[], []];
    const add = (bytes: Buffer, units: Buffer) => {
      content.push(bytes);
      wire.push(units);
    };
    const opening = Buffer.concat([Buffer.from([2]), randomBytes(16)]);
    add(opening, peer.seal(control, opening));
    for (let i = 0; i < 3; i++) {
      const many = Buffer.concat(Array.from({ length: randomInt(1, 5) }, () => recordOf(randomInt(5, 4_000))));
      add(many, peer.seal(frames, many));
    }
    for (let i = 0; i < 3; i++) {
      const one = recordOf(16_384);
      add(one, peer.seal(frames, one));
    }
    for (let i = 0; i < 10; i++) {
      const one = frame(randomBytes(randomInt(1, 3_000)));
      add(one, one);
      if (randomInt(4) === 0) {
        const sealed = recordOf(randomInt(5, 300));
        add(sealed, peer.seal(frames, sealed));
      }
    }
    add(endMark, peer.seal(control, endMark));
    const bytes = Buffer.concat(wire);
    const heard = readFast(session);
    for (let at = 0; at < bytes.length;) {
      const length = round === 0 ? 1 : randomInt(1, 5_000);
      far.write(bytes.subarray(at, at + length));
      at += length;
      if (round > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    far.end();
    assert.equal(await heard, hashOf(...content));
  }
});

test('a stream that ends inside a record, frame or header is truncated; between them it is an end', async (t) => {
  const cuts = [
    (peer: UnwrappedPeer) => peer.seal(control, '\0').subarray(0, 12),
    (peer: UnwrappedPeer) => peer.seal(control, '\0').subarray(0, 3),
    (peer: UnwrappedPeer) =>
      Buffer.concat([
        ...Array.from({ length: 3 }, () => peer.seal(frames, recordOf(16_000))),
        frame(Buffer.alloc(9)).subarray(0, 12),
      ]),
  ];
  for (const cut of cuts) {
    const { session, peer, far } = await tunnelEnd(t);
    far.end(cut(peer));
    assert.ok(await isRefused(session));
  }
  const { session, peer, far } = await tunnelEnd(t);
  far.end(peer.seal(control, '\0'));
  await once(session.resume(), 'end');
});

test('received bytes can be read after both directions have ended', async (t) => {
  const { relay, tunnel } = await bothEnds(t);
  relay.end(Buffer.alloc(10_000, 1));
  tunnel.end();
  await once(relay.resume(), 'close');
  assert.equal(await readSlowly(tunnel, 1_000), hashOf(Buffer.alloc(10_000, 1)));
});

/** As a bulk transfer is read: from some point on into buffers that are used again, each held for a while. */
async function readReused(stream: Duplex): Promise<string> {
  const hash = createHash('sha256');
  const held: { bytes: Buffer; release: () => void }[] = [];
  let seen = 0;
  let reads: ReturnType<typeof reuse>;
  const letGo = () => {
    const { bytes, release } = held.shift()!;
    hash.update(bytes);
    release();
    if (held.length === 0) stream.resume();
  };
  const take = (bytes: Buffer, release: () => void) => {
    seen += bytes.length;
    held.push({ bytes, release });
    if (held.length === 3) stream.pause();
    setImmediate(letGo);
    if (seen > 300_000 && !reads) assert.ok((reads = reuse(stream, take)), 'reads are not reused');
  };
  stream.on('data', (bytes: Buffer) => take(bytes, () => {}));
  stream.once('end', () => reads?.flush());
  await once(stream, 'end');
  await until(() => held.length === 0);
  return hash.digest('hex');
}

test('8 MB each way at once through channels on both ends, for each kind of reader, in sequence', async (t) => {
  const { relay, tunnel } = await bothEnds(t);
  const visits = [
    [readFast, 8_000_000],
    [readSlowly, 8_000_000],
    [readReused, 8_000_000],
    [readFast, 100_000],
    [readReused, 8_000_000],
    [readSlowly, 1_000],
    [readFast, 8_000_000],
  ] as const;
  for (const [read, bytes] of visits) {
    const free: Promise<boolean>[] = [];
    const channels = [relay, tunnel].map((session) => {
      let channel!: FramedChannel;
      free.push(new Promise((resolve) => (channel = new FramedChannel(session, resolve))));
      return channel;
    }) as [FramedChannel, FramedChannel];
    const content = randomBytes(bytes);
    const sent = channels.map(async (channel) => {
      for (let at = 0; at < content.length; at += 70_001) {
        if (!channel.write(content.subarray(at, at + 70_001))) await once(channel, 'drain');
      }
      channel.end();
    });
    assert.deepEqual(await Promise.all(channels.map((channel) => read(channel))), Array(2).fill(hashOf(content)));
    await Promise.all(sent);
    assert.deepEqual(await Promise.all(free), [true, true]);
  }
  assert.equal(relay.destroyed || tunnel.destroyed, false);
  relay.destroy();
  tunnel.destroy();
});

test('without a reader the buffer stays small, and the writer waits', async (t) => {
  const { relay, tunnel } = await bothEnds(t);
  const channel = new FramedChannel(relay, () => {});
  channel.on('error', () => {});
  const chunk = Buffer.alloc(65_536);
  let written = 0;
  while (channel.write(chunk) && written < 64_000_000) written += chunk.length;
  // As much more as the machine's own buffers take, until no write has been finished for a while.
  for (let turns = 0; turns < 200 && written < 64_000_000; turns++) {
    if (!channel.writableNeedDrain) {
      channel.write(chunk);
      written += chunk.length;
      turns = 0;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(written < 32_000_000, `${written} bytes were taken`);
  assert.ok(tunnel.readableLength < 1_000_000);
  relay.destroy();
  tunnel.destroy();
});

test('a connection reset is an error of its session only', async () => {
  const [near, far] = duplexPair();
  const secrets = freshKeys(randomBytes(32), randomBytes(32));
  const session = new UnwrappedSession(near as unknown as Socket, secrets, { send: 0, receive: sealedFirstBytes });
  const broken = once(session, 'error');
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  near.destroy(reset);
  assert.deepEqual(await broken, [reset]);
  far.destroy();
});
