import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Bandwidth, type Share } from '../../src/util/bandwidth.js';
import { splice } from '../../src/relay/ingress/splice.js';
import type { Lease } from '../../src/relay/leases/lease.js';
import { SessionRegistry } from '../../src/relay/reverse/session-registry.js';
import { ManualClock } from '../support/manual-clock.js';
import { startTcpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

const kilobyte = 1024;
const megabyte = 1_000_000;

/** A connection that always has more to move, in chunks of one size. */
class Hungry {
  moved = 0;
  readonly share: Share;
  #idle = false;

  constructor(
    private readonly bandwidth: Bandwidth,
    private readonly chunk: number,
    share = bandwidth.join(),
  ) {
    this.share = share;
  }

  resume(): void {
    while (!this.#idle) {
      this.moved += this.chunk;
      if (!this.bandwidth.spend(this.share, this, this.chunk)) return;
    }
  }

  stop(): void {
    this.#idle = true;
    this.bandwidth.leave(this.share);
  }
}

for (const limit of [megabyte, 10 * megabyte, 200 * megabyte]) {
  for (const connections of [1, 16]) {
    test(`${limit / megabyte} MB/s are kept to by ${connections} connection(s) together, each with its part`, () => {
      const clock = new ManualClock();
      const bandwidth = new Bandwidth(limit, clock);
      // Chunks of different sizes must make no difference.
      const all = Array.from({ length: connections }, (_, index) => new Hungry(bandwidth, (1 + (index % 4)) << 14));
      for (const one of all) one.resume();
      const seconds = 20;
      clock.pass(seconds * 1000);
      const moved = all.map((one) => one.moved);
      const sum = moved.reduce((total, bytes) => total + bytes, 0);
      const off = Math.abs(sum / seconds / limit - 1);
      assert.ok(off < (limit < 10 * megabyte ? 0.03 : 0.01), `off by ${off}`);
      const part = sum / connections;
      for (const bytes of moved) assert.ok(Math.abs(bytes - part) <= 4 * 64 * kilobyte, `${bytes} of ${part}`);
      for (const one of all) one.stop();
      assert.equal(clock.timers, 0);
    });
  }
}

test('a process with event loop delays still reaches the bandwidth limit', () => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(100 * megabyte, clock);
  const one = new Hungry(bandwidth, 64 * kilobyte);
  one.resume();
  for (let round = 0; round < 100; round++) {
    clock.skip(80);
    clock.pass(20);
  }
  assert.ok(Math.abs(one.moved / (10 * 100 * megabyte) - 1) < 0.01, `${one.moved}`);
});

test('both directions of a connection share one limit', () => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(10 * megabyte, clock);
  const up = new Hungry(bandwidth, 16 * kilobyte);
  const down = new Hungry(bandwidth, 16 * kilobyte, up.share);
  const other = new Hungry(bandwidth, 16 * kilobyte);
  for (const flow of [up, down, other]) flow.resume();
  clock.pass(10_000);
  assert.ok(Math.abs((up.moved + down.moved) / other.moved - 1) < 0.01);
});

test('unused bandwidth is saved for a short time only', () => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(10 * megabyte, clock);
  clock.pass(60_000);
  const one = new Hungry(bandwidth, kilobyte);
  one.resume();
  assert.ok(one.moved <= 251 * kilobyte, `${one.moved}`);
});

test('a raised, lowered or removed limit applies at once', () => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(undefined, clock);
  const share = bandwidth.join();
  const flow = { resumed: 0, resume: () => void flow.resumed++ };
  assert.equal(bandwidth.spend(share, flow, 100 * megabyte), true);
  bandwidth.limit = 1;
  assert.equal(bandwidth.spend(share, flow, 64 * kilobyte), false);
  clock.pass(1_000);
  assert.equal(flow.resumed, 0);
  bandwidth.limit = megabyte;
  clock.pass(100);
  assert.equal(flow.resumed, 1);
  assert.equal(bandwidth.spend(share, flow, 10 * megabyte), false);
  bandwidth.limit = undefined;
  assert.equal(flow.resumed, 2);
  assert.equal(clock.timers, 0);
  for (const wrong of [0, -1, Number.NaN, Infinity]) assert.throws(() => (bandwidth.limit = wrong), RangeError);
});

test('a waiter that leaves makes room for the next, and is not called any more', () => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(megabyte, clock);
  const flows = [0, 1].map(() => ({ share: bandwidth.join(), resumed: 0, resume: () => {} }));
  for (const flow of flows) {
    flow.resume = () => void flow.resumed++;
    bandwidth.spend(flow.share, flow, 64 * kilobyte);
  }
  bandwidth.leave(flows[0]!.share);
  assert.equal(clock.timers, 1);
  clock.pass(10_000);
  assert.deepEqual(
    flows.map(({ resumed }) => resumed),
    [0, 1],
  );
  assert.equal(clock.timers, 0);
});

/** A visitor and a service, joined as the relay joins them. */
async function joined(
  t: TestContext,
  bandwidth: Bandwidth,
): Promise<{ visitor: Socket; service: Socket; over: Promise<unknown>; cut(): void }> {
  const middle = await pair(t);
  const far = await pair(t);
  const meter = { forward: () => {}, backward: () => {} };
  const over = splice(middle.server, far.server, meter, bandwidth);
  return { visitor: middle.client, service: far.client, over, cut: () => middle.server.destroy() };
}

async function pair(t: TestContext): Promise<{ client: Socket; server: Socket }> {
  let accepted!: (socket: Socket) => void;
  const server = new Promise<Socket>((resolve) => (accepted = resolve));
  const { port } = await startTcpService(t, accepted);
  const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  client.on('error', () => {});
  t.after(() => client.destroy());
  return { client, server: await server };
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Reads to the end, in small bites. */
async function slowly(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  while (!socket.readableEnded) {
    const bite = (socket.read(5_000) as Buffer | null) ?? (socket.read() as Buffer | null);
    if (bite) {
      hash.update(bite);
      await new Promise((resolve) => setImmediate(resolve));
    } else if (!socket.readableEnded) await Promise.race([once(socket, 'readable'), once(socket, 'end')]);
  }
  return hash.digest('hex');
}

test('a new limit throttles a live connection, which continues intact when it is lifted', async (t) => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(undefined, clock);
  const { visitor, service, over } = await joined(t, bandwidth);
  visitor.write('first');
  assert.equal(String((await once(service, 'data'))[0]), 'first');
  bandwidth.limit = 1;
  const [up, down] = [randomBytes(3_000_000), randomBytes(2_000_000)];
  visitor.end(up);
  service.end(down);
  const received = Promise.all([slowly(service), slowly(visitor)]);
  // Each direction's next chunk passes, on debt; for the rest there is no time, by this clock.
  await until(() => clock.timers !== 0);
  const early = visitor.bytesRead + service.bytesRead;
  assert.ok(early < 600_000, `${early}`);
  bandwidth.limit = undefined;
  assert.deepEqual(await received, [hashOf(up), hashOf(down)]);
  await over;
  assert.equal(clock.timers, 0);
});

test('a connection closed while it waits for bandwidth leaves no timer', async (t) => {
  const clock = new ManualClock();
  const bandwidth = new Bandwidth(1, clock);
  const { visitor, over, cut } = await joined(t, bandwidth);
  visitor.write(randomBytes(1_000_000));
  await until(() => clock.timers !== 0);
  cut();
  await over;
  assert.equal(clock.timers, 0);
});

test('sessions get the limit of their lease, and a new limit reaches live ones', () => {
  const limits = new Map([['slow', 1_000]]);
  const directory = new SessionRegistry((lease) => limits.get(lease.identity.name));
  const [slow, free] = ['slow', 'free'].map((name) => directory.of(leaseOf(name)));
  assert.deepEqual([slow!.bandwidth.limit, free!.bandwidth.limit], [1_000, undefined]);
  limits.set('free', 5_000).delete('slow');
  directory.applyLimits();
  assert.deepEqual([slow!.bandwidth.limit, free!.bandwidth.limit], [undefined, 5_000]);
  directory.close();
});

function leaseOf(name: string): Lease {
  const times = { expiresAt: 0, tokenExpiresAt: 0, firstSeenAt: 0, lastSeenAt: 0 };
  const identity = { name, address: '0x0000000000000000000000000000000000000001' };
  const addresses = { registeredFrom: '127.0.0.1', clientIp: '127.0.0.1' };
  return {
    identity,
    hostname: `${name}.portal.test`,
    generation: name,
    metadata: {},
    ownCertificate: false,
    sessionWaitSeconds: 10,
    ...times,
    ...addresses,
  };
}
