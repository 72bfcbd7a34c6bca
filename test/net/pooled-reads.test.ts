import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { PooledReads } from '../../src/net/pooled-reads.js';
import { hashOf, pairKinds, socketPair } from '../support/socket-pairs.js';
import { until } from '../support/until.js';

const megabytes = (count: number) => randomBytes(count * 1_000_000);

/** Takes all there is; `hold` decides when a chunk is released. @returns the hash of each chunk as it was at its release */
async function takeAll(
  t: TestContext,
  kind: (typeof pairKinds)[number],
  sent: Buffer,
  hold: (release: () => void) => void,
): Promise<{ taken: Buffer[]; released: Buffer[]; buffers: Set<ArrayBufferLike> }> {
  const { accepted, client } = await socketPair(t, kind);
  const [taken, released, buffers] = [[] as Buffer[], [] as Buffer[], new Set<ArrayBufferLike>()];
  const reads = PooledReads.start(accepted, (chunk, release) => {
    taken.push(Buffer.from(chunk));
    buffers.add(chunk.buffer);
    const index = taken.length - 1;
    hold(() => {
      released[index] = Buffer.from(chunk);
      release();
    });
  });
  assert.ok(reads);
  accepted.resume();
  client.end(sent);
  await once(accepted, 'end');
  reads.flush();
  return { taken, released, buffers };
}

for (const kind of pairKinds) {
  test(`accepted ${kind} sockets of this version of Node can be read into reused buffers`, async (t) => {
    const { accepted } = await socketPair(t, kind);
    assert.ok(PooledReads.start(accepted, () => {}));
    // Only once: nobody else's is taken over.
    assert.equal(
      PooledReads.start(accepted, () => {}),
      undefined,
    );
  });

  test(`a few pooled buffers transfer a lot of data over  ${kind}, whole and in order`, async (t) => {
    const sent = megabytes(20);
    const { taken, buffers } = await takeAll(t, kind, sent, (release) => release());
    assert.equal(hashOf(...taken), hashOf(sent));
    assert.ok(buffers.size < 30, `${buffers.size} buffers`);
  });

  test(`chunks retained over  ${kind} stays as it is until it is released, however late that is`, async (t) => {
    const sent = megabytes(10);
    const held: (() => void)[] = [];
    const { taken, released } = await takeAll(t, kind, sent, (release) => {
      held.push(release);
      // Out of order, and never fewer than a few in use.
      if (held.length > 7) held.splice(3, 1)[0]!();
    });
    for (const release of held) release();
    assert.equal(hashOf(...taken), hashOf(sent));
    assert.equal(hashOf(...released), hashOf(sent));
  });

  test(`bytes that a ${kind} socket has already buffered come first`, async (t) => {
    const { accepted, client } = await socketPair(t, kind);
    const sent = megabytes(3);
    const got: Buffer[] = [];
    client.end(sent);
    // The stream reads ahead until it is full.
    accepted.on('data', (chunk: Buffer) => got.push(chunk)).resume();
    await until(() => got.length >= 3);
    accepted.pause();
    await until(() => accepted.readableLength !== 0);
    const before = got.length;
    const reads = PooledReads.start(accepted, (chunk, release) => {
      got.push(Buffer.from(chunk));
      release();
    });
    accepted.resume();
    await once(accepted, 'end');
    reads?.flush();
    assert.ok(got.length > before + 1);
    assert.equal(hashOf(...got), hashOf(sent));
  });

  test(`a paused ${kind} socket stops reading, and resumes at the same byte`, async (t) => {
    const { accepted, client } = await socketPair(t, kind);
    const sent = megabytes(8);
    const hash = createHash('sha256');
    let early = 0;
    let resumed = false;
    const reads = PooledReads.start(accepted, (chunk, release) => {
      hash.update(chunk);
      release();
      if (resumed) return;
      early += chunk.length;
      accepted.pause();
    });
    accepted.resume();
    client.write(sent.subarray(0, 4_000_000));
    client.end(sent.subarray(4_000_000));
    await until(() => early !== 0);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(early <= 4 * 65_536, `${early} bytes came past the pause`);
    resumed = true;
    accepted.resume();
    await once(accepted, 'end');
    reads?.flush();
    assert.equal(hash.digest('hex'), hashOf(sent));
  });

  test(`pooled reads are not used on a ${kind} socket with unexpected internals`, async (t) => {
    const { accepted } = await socketPair(t, kind);
    const { _handle: handle } = accepted as unknown as { _handle: object };
    Object.defineProperty(handle, 'useUserBuffer', { value: undefined });
    assert.equal(
      PooledReads.start(accepted, () => {}),
      undefined,
    );
  });
}

test('pooled reads are not used on streams that are not sockets', () => {
  assert.equal(
    PooledReads.start(new PassThrough(), () => {}),
    undefined,
  );
});
