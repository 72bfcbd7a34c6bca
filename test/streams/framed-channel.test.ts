import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { maxFrameBytes } from '../../src/protocol/frames.js';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { reuse } from '../../src/net/pooled-reads.js';
import { hashOf, readFast, readSlowly, socketPair } from '../support/socket-pairs.js';
import { until } from '../support/until.js';

/** A session in memory: what the channel wrote, and whatever the other side is to say. */
class Session extends Duplex {
  readonly written: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    done();
  }

  get hex(): string {
    return Buffer.concat(this.written).toString('hex');
  }

  say(hex: string): void {
    this.push(Buffer.from(hex, 'hex'));
  }
}

function open(): { session: Session; channel: FramedChannel; over: boolean[]; errors: Error[] } {
  const session = new Session();
  const [over, errors]: [boolean[], Error[]] = [[], []];
  const channel = new FramedChannel(session, (isFree) => over.push(isFree));
  channel.on('error', (error) => errors.push(error));
  return { session, channel, over, errors };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('after both directions have ended the session is free, and nothing more is read', async () => {
  const { session, channel, over } = open();
  session.say('0000000548656c6c6f00000000');
  assert.equal(String(await text(channel)), 'Hello');
  assert.deepEqual(over, []);
  channel.end('bye');
  await closed(channel);
  assert.equal(session.hex, '0000000362796500000000');
  assert.deepEqual(over, [true]);
  assert.equal(session.destroyed, false);
});

test('bytes after the end of both directions are left for the next connection', async () => {
  const { session, channel, over } = open();
  channel.end();
  await once(channel, 'finish');
  session.say('0000000161000000000002aa');
  assert.equal(String(await text(channel)), 'a');
  assert.deepEqual(over, [true]);
  assert.equal((session.read() as Buffer).toString('hex'), '0002aa');
});

test('small frames that arrive together are delivered together, and a large one is not copied', async () => {
  const { session, channel } = open();
  const small = (bytes: number) => '0000000161'.repeat(bytes);
  const large = Buffer.from(`${small(20_000)}00004e20${'62'.repeat(20_000)}${small(20_000)}`, 'hex');
  const chunks: Buffer[] = [];
  channel.on('data', (chunk: Buffer) => chunks.push(chunk));
  session.push(large);
  await until(() => Buffer.concat(chunks).length >= 60_000);
  assert.equal(Buffer.concat(chunks).toString(), `${'a'.repeat(20_000)}${'b'.repeat(20_000)}${'a'.repeat(20_000)}`);
  assert.ok(chunks.length < 20, `in ${chunks.length} pieces`);
  assert.equal(chunks.find(({ length }) => length === 20_000)?.buffer, large.buffer);
});

test('frames that arrive one byte at a time are parsed', async () => {
  const { session, channel } = open();
  for (const byte of Buffer.from('000000036162630000000164' + '00000000', 'hex')) {
    session.push(Buffer.from([byte]));
    await turn();
  }
  assert.equal(String(await text(channel)), 'abcd');
});

test('a signing message between frames is delivered apart from the connection, in any fragmentation', async () => {
  const bytes = Buffer.from('0000000161' + 'fffffffd00000005' + '0403aabbcc' + '0000000162' + '00000000', 'hex');
  for (let size = 1; size <= bytes.length; size++) {
    const messages: string[] = [];
    const session = new Session();
    const channel = new FramedChannel(
      session,
      () => {},
      (message) => messages.push(message.toString('hex')),
    );
    for (let at = 0; at < bytes.length; at += size) {
      session.push(bytes.subarray(at, at + size));
      await turn();
    }
    assert.equal(String(await text(channel)), 'ab');
    assert.deepEqual(messages, ['0403aabbcc']);
    channel.sendSigning(Buffer.from('00c8', 'hex'));
    channel.end('c');
    await closed(channel);
    channel.sendSigning(Buffer.from('late'));
    assert.equal(session.hex, 'fffffffd00000002' + '00c8' + '0000000163' + '00000000');
  }
});

test('a long signing message arrives intact', async () => {
  const message = randomBytes(65_538);
  const received = new Promise<Buffer>((resolve) => {
    const session = new Session();
    new FramedChannel(session, () => {}, resolve).resume();
    session.say('fffffffd00010002');
    for (let at = 0; at < message.length; at += 1_000) session.push(message.subarray(at, at + 1_000));
  });
  assert.ok((await received).equals(message));
});

test('an error of the signing handler closes the session', async () => {
  const session = new Session();
  const over: boolean[] = [];
  const channel = new FramedChannel(
    session,
    (isFree) => over.push(isFree),
    () => assert.fail('in the handler'),
  );
  channel.on('error', () => {}).resume();
  session.say('fffffffd00000000');
  await closed(session);
  assert.deepEqual(over, [false]);
});

for (const [name, hex] of [
  ['a signing message that was not agreed on', 'fffffffd000000020403'],
  ['a signing message after the end', '00000000fffffffd00000000'],
  ['a frame that is too long', (maxFrameBytes + 1).toString(16).padStart(8, '0')],
  ['bytes after the end', '0000000000000001'],
  ['a second end', '0000000000000000'],
] as const) {
  test(`${name} closes the session`, async () => {
    const { session, channel, over, errors } = open();
    channel.resume();
    session.say(hex);
    await closed(session);
    await turn();
    assert.deepEqual(over, [false]);
    assert.equal(errors.length, 1);
    assert.ok(channel.destroyed);
  });
}

test('a session that closes during a connection cuts it', async () => {
  const { session, channel, over, errors } = open();
  channel.resume();
  session.say('0000000a6162');
  session.push(null);
  await closed(channel);
  assert.deepEqual(over, [false]);
  assert.equal((errors[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
});

test('a cut closes the connection and is acknowledged, and the session is free', async () => {
  const { session, channel, over, errors } = open();
  channel.resume();
  session.say('ffffffff');
  await closed(channel);
  assert.equal(session.hex, 'ffffffff');
  assert.deepEqual(over, [true]);
  assert.equal((errors[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
});

test('a side that cuts a connection discards what arrives until the other side has closed too', async () => {
  const { session, channel, over } = open();
  channel.destroy();
  await closed(channel);
  assert.equal(session.hex, 'ffffffff');
  session.say('000000026162');
  await turn();
  assert.deepEqual(over, []);
  session.say('00000000');
  await turn();
  assert.deepEqual(over, [true]);
  assert.equal(session.destroyed, false);
});

test('a side that does not close its direction after a cut loses the session after a timeout', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { session, channel, over } = open();
  channel.destroy();
  session.say('0000000161');
  t.mock.timers.tick(5_000);
  assert.deepEqual(over, [false]);
  assert.ok(session.destroyed);
});

test('a last end frame closes the session when both directions have ended', async () => {
  const { session, channel, over } = open();
  channel.resume();
  session.say('fffffffe');
  await once(channel, 'end');
  assert.deepEqual(over, []);
  channel.end();
  await once(session, 'finish');
  assert.deepEqual(over, [false]);
  session.push(null);
  await closed(session);
});

/** Two channels over one TLS connection. */
async function channels(t: TestContext): Promise<{ near: FramedChannel; far: FramedChannel; free: boolean[] }> {
  const { accepted, client } = await socketPair(t, 'tls');
  const free: boolean[] = [];
  const onOver = (isFree: boolean) => void free.push(isFree);
  return { near: new FramedChannel(accepted, onOver), far: new FramedChannel(client, onOver), free };
}

test('large transfers go both ways through a session to fast and slow readers, and it is free afterwards', async (t) => {
  const { near, far, free } = await channels(t);
  const [up, down] = [randomBytes(7_000_000), randomBytes(9_000_000)];
  far.end(up);
  near.end(down);
  assert.deepEqual(await Promise.all([readFast(near), readSlowly(far)]), [hashOf(up), hashOf(down)]);
  await until(() => free.length >= 2);
  assert.deepEqual(free, [true, true]);
});

test('large transfers through pooled reads arrive intact, and the session is closed afterwards', async (t) => {
  const { near, far, free } = await channels(t);
  const up = randomBytes(9_000_000);
  const got: Buffer[] = [];
  let pauses = 0;
  const reads = reuse(near, (chunk, release) => {
    got.push(Buffer.from(chunk));
    if (++pauses % 10 === 0) {
      near.pause();
      setImmediate(() => near.resume());
    }
    setImmediate(release);
  });
  assert.ok(reads);
  near.resume();
  far.end(up);
  await once(near, 'end');
  assert.equal(hashOf(...got), hashOf(up));
  far.resume();
  near.end();
  await until(() => free.length >= 2);
  assert.equal(free.includes(true), false);
});

test('small frames in a pooled read are delivered together, in order', async (t) => {
  const { accepted, client } = await socketPair(t, 'tcp');
  const channel = new FramedChannel(accepted, () => {});
  const frame = (content: Buffer) => Buffer.concat([Buffer.from([0, 0, content.length >> 8, content.length]), content]);
  const contents = Array.from({ length: 50_000 }, (_, at) => randomBytes(at % 5_000 === 0 ? 30_000 : 1));
  const got: Buffer[] = [];
  let length = 0;
  assert.ok(
    reuse(channel, (chunk, release) => {
      got.push(Buffer.from(chunk));
      length += chunk.length;
      setImmediate(release);
    }),
  );
  channel.resume();
  client.write(Buffer.concat(contents.map(frame)));
  const all = Buffer.concat(contents);
  await until(() => length >= all.length);
  assert.ok(Buffer.concat(got).equals(all));
  assert.ok(got.length < 500, `in ${got.length} pieces`);
  channel.on('error', () => {}).destroy();
});

async function text(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

/** Unlike `once`, indifferent to errors. */
async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
}
