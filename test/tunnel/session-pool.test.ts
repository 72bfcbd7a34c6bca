import assert from 'node:assert/strict';
import { type Duplex, PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { ApiError, NetworkError } from '../../src/sdk/index.js';
import { proxyHeader } from '../../src/protocol/proxy-protocol.js';
import { SessionPool } from '../../src/tunnel/link/session-pool.js';
import { until } from '../support/until.js';

/** A pool whose sessions are streams in memory, and what it did. */
function bench(t: TestContext, recycles = false) {
  const streams: PassThrough[] = [];
  const state = {
    streams,
    dials: 0,
    most: 0,
    /** What the next dials do instead of succeeding. */
    failures: [] as Error[],
    claims: 0,
    connections: [] as Duplex[],
    refused: undefined as Error | undefined,
    waits: [] as number[],
    hasRoom: true,
  };
  let dialing = 0;
  const pool = new SessionPool({
    async dial() {
      state.dials++;
      state.most = Math.max(state.most, ++dialing);
      await turn();
      dialing--;
      const failure = state.failures.shift();
      if (failure !== undefined) throw failure;
      const stream = new PassThrough();
      streams.push(stream);
      return { stream, recycles, signs: false };
    },
    onClaim: (claim) => {
      state.claims++;
      state.connections.push(claim.stream);
    },
    hasRoom: () => state.hasRoom,
    onReady: () => {},
    onRefused: (error) => (state.refused = error),
    onWaiting: (_error, delayMs) => state.waits.push(delayMs),
  });
  t.after(() => pool.stop());
  /** Claims the oldest session that waits. */
  const claim = () =>
    streams.shift()!.write(Buffer.concat([Buffer.from([2]), Buffer.alloc(16), proxyHeader(undefined)]));
  return { pool, state, claim };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Until nothing moves any more. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 30; turns++) await turn();
}

test('two sessions are ready from the start, and a claimed one is replaced', async (t) => {
  const { pool, state, claim } = bench(t);
  pool.start();
  await settle();
  assert.equal(pool.ready, 2);
  claim();
  await settle();
  assert.equal(state.claims, 1);
  assert.equal(pool.ready, 2);
});

test('the pool grows while visitors need more sessions, up to the limit of the relay', async (t) => {
  const { pool, state, claim } = bench(t);
  pool.start();
  await settle();
  for (let round = 0; round < 6; round++) {
    while (state.streams.length > 0) claim();
    await settle();
  }
  assert.ok(pool.ready >= 8, `${pool.ready}`);
  assert.ok(state.most <= 32, `${state.most} at once`);
});

test('a recycled session is ready again after its connection', async (t) => {
  const { pool, state, claim } = bench(t, true);
  pool.start();
  await settle();
  const [session] = state.streams as [PassThrough];
  claim();
  await settle();
  assert.deepEqual([state.dials, pool.ready], [3, 2]);
  const [connection] = state.connections as [Duplex];
  connection.on('error', () => {}).destroy();
  // The stream in memory gives the pool its own cut back, which closes the other direction.
  await settle();
  assert.deepEqual([state.dials, pool.ready], [3, 3]);
  session.write(Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(16), proxyHeader(undefined)]));
  await settle();
  assert.equal(state.claims, 2);
  assert.equal(state.dials, 3);
});

test('a recycled session closed by the relay is not a failure, and a stopped pool closes it', async (t) => {
  const { pool, state, claim } = bench(t, true);
  pool.start();
  await settle();
  const [first, second] = state.streams as [PassThrough, PassThrough];
  claim();
  claim();
  await settle();
  for (const connection of state.connections.splice(0, 1)) connection.on('error', () => {}).destroy();
  await settle();
  first.end();
  await settle();
  assert.equal(state.waits.length, 0);
  pool.stop();
  state.connections[0]!.on('error', () => {}).destroy();
  await settle();
  assert.ok(second.destroyed);
});

test('a full ready queue is not a failure: the pool waits for a claim', async (t) => {
  const { pool, state, claim } = bench(t);
  pool.start();
  await settle();
  state.failures = [new ApiError('rate_limited', undefined, { retryAfterSeconds: 600 })];
  claim();
  await settle();
  assert.equal(pool.ready, 1);
  assert.equal(state.dials, 3);
  claim();
  await settle();
  assert.ok(pool.ready >= 2);
  assert.equal(state.waits.length, 0);
});

test('rate_limited without a ready session waits for Retry-After', async (t) => {
  const { pool, state } = bench(t);
  state.failures = Array.from({ length: 2 }, () => new ApiError('rate_limited', undefined, { retryAfterSeconds: 600 }));
  pool.start();
  await settle();
  assert.equal(pool.ready, 0);
  assert.equal(state.dials, 2);
  assert.equal(state.waits.length, 1);
  assert.ok(state.waits[0]! >= 600_000);
});

test('an unreachable relay is retried with one session at a time, with a delay', async (t) => {
  const { pool, state } = bench(t);
  state.failures = Array.from({ length: 3 }, () => new NetworkError('unreachable', 'gone'));
  pool.start();
  const waits = state.waits;
  await until(() => pool.ready >= 2);
  assert.ok(waits.length >= 2);
  for (const [index, wait] of waits.entries()) assert.ok(wait <= 250 * 2 ** index);
  // Two that failed together, one alone, one alone that got through, and its fellow.
  assert.equal(state.dials, 5);
});

test('sessions lost together count as one failure', async (t) => {
  const { pool, state } = bench(t);
  pool.start();
  await settle();
  for (const stream of state.streams.splice(0)) stream.end();
  await settle();
  assert.equal(state.waits.length, 1);
  await until(() => pool.ready >= 2);
});

test('no sessions are opened while the tunnel is at its connection limit', async (t) => {
  const { pool, state, claim } = bench(t);
  pool.start();
  await settle();
  state.hasRoom = false;
  claim();
  await settle();
  assert.equal(pool.ready, 1);
  state.hasRoom = true;
  pool.fill();
  await settle();
  assert.equal(pool.ready, 2);
});

test('waiting for approval follows the Retry-After of the relay', async (t) => {
  const { pool, state } = bench(t);
  state.failures = [new ApiError('lease_rejected'), new ApiError('lease_rejected')];
  pool.start();
  await settle();
  assert.equal(state.waits.length, 1);
  assert.ok(state.waits[0]! >= 15_000);
  assert.equal(state.refused, undefined);
});

for (const code of [
  'hostname_conflict',
  'lease_not_found',
  'unauthorized',
  'ip_banned',
  'feature_unavailable',
] as const) {
  test(`${code} ends the pool with its error`, async (t) => {
    const { pool, state } = bench(t);
    pool.start();
    await settle();
    state.failures = [new ApiError(code)];
    const [waiting] = state.streams.slice(1);
    state.streams.shift()!.write(Buffer.concat([Buffer.from([2]), Buffer.alloc(16), proxyHeader(undefined)]));
    await settle();
    assert.equal((state.refused as ApiError).code, code);
    assert.equal(pool.ready, 0);
    assert.ok(waiting!.destroyed);
    assert.equal(state.dials, 3);
  });
}

test('a stopped pool opens no session and closes waiting ones', async (t) => {
  const { pool, state } = bench(t);
  pool.start();
  await settle();
  pool.stop();
  await settle();
  assert.ok(state.streams.every((stream) => stream.destroyed));
  assert.equal(state.dials, 2);
  assert.equal(state.waits.length, 0);
});

test('without visitors the pool shrinks', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { pool, state, claim } = bench(t);
  pool.start();
  await settle();
  for (let round = 0; round < 6; round++) {
    while (state.streams.length > 0) claim();
    await settle();
  }
  assert.ok(pool.ready >= 8);
  const now = performance.now();
  t.mock.method(performance, 'now', () => now + 61_000);
  for (const stream of state.streams) stream.write(Buffer.from([0]));
  await settle();
  for (let round = 0; round < 3; round++) {
    t.mock.timers.tick(30_000);
    await settle();
  }
  assert.equal(pool.ready, 2);
  assert.equal(state.waits.length, 0);
});
