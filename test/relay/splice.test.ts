import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Bandwidth } from '../../src/util/bandwidth.js';
import { splice } from '../../src/relay/ingress/splice.js';
import { hashOf, readFast, readSlowly, socketPair } from '../support/socket-pairs.js';
import { until } from '../support/until.js';

// As between a visitor (tcp) and a reverse session (tls), with reused read buffers and without.

interface Joined {
  visitor: Socket;
  tunnel: Socket;
  /** The relay's ends of the two. */
  ends: [Socket, Socket];
  counted: { forward: number; backward: number };
  over: Promise<Error | undefined>;
}

async function joined(t: TestContext, reuses: boolean): Promise<Joined> {
  const [front, back] = [await socketPair(t, 'tcp'), await socketPair(t, 'tls')];
  const ends: [Socket, Socket] = [front.accepted, back.accepted];
  if (!reuses) {
    for (const socket of ends) {
      const { _handle: handle } = socket as unknown as { _handle: object };
      Object.defineProperty(handle, 'useUserBuffer', { value: undefined });
    }
  }
  const counted = { forward: 0, backward: 0 };
  const meter = {
    forward: (bytes: number) => void (counted.forward += bytes),
    backward: (bytes: number) => void (counted.backward += bytes),
  };
  const over = splice(...ends, meter, new Bandwidth());
  return { visitor: front.client, tunnel: back.client, ends, counted, over };
}

/** Bytes that came as a stream's ordinary chunks. */
function ordinary(socket: Socket): { bytes: number } {
  const seen = { bytes: 0 };
  socket.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
  return seen;
}

for (const reuses of [true, false]) {
  const how = reuses ? 'reused buffers' : 'buffers of their own';

  test(`large transfers go both ways at once through ${how} intact, to fast and slow readers`, async (t) => {
    const { visitor, tunnel, ends, counted, over } = await joined(t, reuses);
    const seen = ends.map(ordinary);
    const [up, down] = [randomBytes(12_000_000), randomBytes(9_000_000)];
    visitor.end(up);
    tunnel.end(down);
    const [upHash, downHash] = await Promise.all([readSlowly(tunnel), readFast(visitor)]);
    assert.equal(upHash, hashOf(up));
    assert.equal(downHash, hashOf(down));
    assert.equal(await over, undefined);
    assert.deepEqual(counted, { forward: up.length, backward: down.length });
    const [seenUp, seenDown] = seen as [{ bytes: number }, { bytes: number }];
    if (reuses) {
      assert.ok(seenUp.bytes < up.length / 4, `${seenUp.bytes} of ${up.length} came as ordinary chunks`);
      assert.ok(seenDown.bytes < down.length / 4, `${seenDown.bytes} of ${down.length} came as ordinary chunks`);
    } else assert.deepEqual([seenUp.bytes, seenDown.bytes], [up.length, down.length]);
  });

  test(`a slow visitor gets everything through ${how}, with backpressure`, async (t) => {
    const { visitor, tunnel, counted, over } = await joined(t, reuses);
    const down = randomBytes(30_000_000);
    tunnel.end(down);
    visitor.end();
    tunnel.resume();
    await until(() => tunnel.writableLength === 0 || counted.backward >= 1_000_000);
    const ofMany = await readSlowly(visitor, 70_000);
    assert.equal(ofMany, hashOf(down));
    assert.equal(await over, undefined);
  });

  test(`bursts, pauses and small writes arrive through ${how} in order`, async (t) => {
    const { visitor, tunnel, over } = await joined(t, reuses);
    const parts = Array.from({ length: 120 }, (_, index) => randomBytes(index % 3 === 0 ? 400_000 : 1 + index * 37));
    const speak = async (socket: Socket) => {
      for (const part of parts) {
        if (!socket.write(part)) await new Promise((resolve) => socket.once('drain', resolve));
        else await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end();
    };
    const [, , up, down] = await Promise.all([
      speak(visitor),
      speak(tunnel),
      readSlowly(tunnel, 5_000),
      readFast(visitor),
    ]);
    assert.equal(up, hashOf(...parts));
    assert.equal(down, hashOf(...parts));
    assert.equal(await over, undefined);
  });

  test(`half-close works through ${how}`, async (t) => {
    const { visitor, tunnel, over } = await joined(t, reuses);
    visitor.end(randomBytes(1_000_000));
    await readFast(tunnel);
    const answer = randomBytes(2_000_000);
    tunnel.end(answer);
    assert.equal(await readFast(visitor), hashOf(answer));
    assert.equal(await over, undefined);
  });

  test(`a reset during a large transfer resets the other side through ${how}`, async (t) => {
    const { visitor, tunnel, ends, over } = await joined(t, reuses);
    tunnel.write(randomBytes(5_000_000));
    let got = 0;
    visitor.on('data', (chunk: Buffer) => (got += chunk.length));
    await until(() => got >= 1_000_000);
    ends[1].destroy();
    await over;
    assert.ok(ends[0].destroyed);
  });
}
