import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { KernelEngine, type PumpRequest } from '../../src/kernel/kernel-engine.js';
import { injectFaults } from '../../src/util/boundary.js';
import { adminOf, leasePath } from '../support/admin.js';
import { freshWallet } from '../support/by-hand.js';
import { lendings } from '../support/lendings.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { readSlowly } from '../support/socket-pairs.js';
import { openTunnel, startTcpService, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

// The same behaviour on all engines; of each, that the connections are really its own.

const operator = freshWallet();
const megabyte = 1 << 20;
const hasKernel = process.platform === 'linux';

/** Counts the pumps that start, and those that are running. */
const pumps = { started: 0, running: 0, areBroken: false };
const start = KernelEngine.prototype.start;
KernelEngine.prototype.start = function (request: PumpRequest) {
  const pump = start.call(this, {
    ...request,
    // A worker that computes with this throws.
    ...(pumps.areBroken ? { left: 1n as never, codec: 'deframe' } : {}),
    onStopped(result) {
      pumps.running--;
      request.onStopped(result);
    },
  });
  if (pump) {
    pumps.started++;
    pumps.running++;
  }
  return pump;
};

/** The threads of the relay under test. */
const threads = new Set<Worker>();
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (this: Worker, ...message: Parameters<typeof postMessage>) {
  threads.add(this);
  return postMessage.apply(this, message);
} as typeof postMessage;

type Engine = 'kernel' | 'entry' | 'node';

/** Whether the engine has connections now. */
const isBusy: Record<Engine, () => boolean> = {
  kernel: () => pumps.running > 0,
  entry: () => lendings.live > 0,
  node: () => true,
};
const isQuiet = () => pumps.running === 0 && lendings.live === 0;

async function bench(t: TestContext, dataPlane: Engine, handler: (socket: Socket) => void) {
  // The pumps of a relay that has stopped are not heard of again.
  Object.assign(pumps, { started: 0, running: 0 });
  lendings.reset();
  threads.clear();
  const metricsPort = await freePort();
  const relay = await startTestRelay({ dataPlane, adminWallets: [operator.address], metricsPort });
  t.after(() => relay.stop());
  const service = await startTcpService(t, (socket) => {
    socket.on('error', () => {});
    handler(socket);
  });
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, { probe: false });
  if (dataPlane === 'entry') await until(() => lendings.ready > 0);
  const open = async (): Promise<TLSSocket> => {
    const visitor = await visitTls(relay, hostname);
    visitor.on('error', () => {});
    return visitor;
  };
  /** Waits until much has passed, by the engine under test. */
  const inBulk = async (visitor: Socket) => {
    await until(() => visitor.bytesRead + visitor.bytesWritten > 8 * megabyte);
    await until(isBusy[dataPlane]);
  };
  return { relay, tunnel, hostname, open, inBulk, metricsPort };
}

async function send(socket: Socket, megabytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let count = 0; count < megabytes; count++) {
    const chunk = randomBytes(megabyte);
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

function receive(socket: Socket): { hash: Promise<string>; bytes(): number } {
  const hash = createHash('sha256');
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  return {
    hash: new Promise((resolve) => socket.once('end', () => resolve(hash.digest('hex')))),
    bytes: () => bytes,
  };
}

/** Until the other side has ended or reset a connection. */
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    const done = () => {
      resolve();
      socket.destroy();
    };
    socket.once('end', done).once('close', done);
  });

async function leaseBytes(port: number, hostname: string, direction: 'up' | 'down'): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = new RegExp(`^portal_lease_bytes_total\\{hostname="${hostname}",direction="${direction}"\\} (\\d+)`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

/** Sends without end until the connection breaks. */
function flood(socket: Socket): void {
  const chunk = randomBytes(megabyte);
  const more = () => {
    while (socket.writable && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;

for (const engine of ['kernel', 'entry', 'node'] as const) {
  const options = { skip: engine !== 'node' && !hasKernel && 'this data plane needs Linux' };

  test(
    `${engine}: 100 MB each way at once arrive intact and are counted, connection after connection`,
    options,
    async (t) => {
      const sent: Promise<string>[] = [];
      const received: Promise<string>[] = [];
      const { open, metricsPort, hostname } = await bench(t, engine, (socket) => {
        received.push(receive(socket).hash);
        sent.push(send(socket, 100));
      });
      for (let round = 0; round < 2; round++) {
        const visitor = await open();
        const down = receive(visitor).hash;
        const up = await send(visitor, 100);
        assert.equal(await down, await sent[round]);
        assert.equal(await received[round], up);
      }
      assert.ok(engine === 'kernel' ? pumps.started >= 4 : pumps.started === 0, `${pumps.started} pumps`);
      assert.equal(lendings.count > 0, engine === 'entry');
      await until(async () => (await leaseBytes(metricsPort, hostname, 'up')) > 2 * 100 * megabyte);
      for (const direction of ['up', 'down'] as const) {
        const bytes = await leaseBytes(metricsPort, hostname, direction);
        // TLS adds 22 bytes to each record of 16 KiB, and its handshakes.
        assert.ok(bytes > 200 * megabyte && bytes < 201 * megabyte, `${direction} ${bytes}`);
      }
    },
  );

  test(`${engine}: thousands of small questions on one connection are answered, then it ends`, options, async (t) => {
    const { open } = await bench(t, engine, (socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
      socket.on('end', () => socket.end('bye'));
    });
    for (let connection = 0; connection < 2; connection++) {
      const visitor = await open();
      for (let count = 0; count < 1_000; count++) {
        const question = Buffer.alloc(1 + (count % 200), count);
        visitor.write(question);
        for (let bytes = 0; bytes < question.length;) {
          const [answer] = (await once(visitor, 'data')) as [Buffer];
          assert.ok(answer.equals(question.subarray(bytes, bytes + answer.length)), `question ${count}`);
          bytes += answer.length;
        }
      }
      assert.deepEqual([pumps.running, lendings.live], { kernel: [2, 0], entry: [0, 1], node: [0, 0] }[engine]);
      visitor.end();
      const [rest] = (await once(visitor, 'data')) as [Buffer];
      assert.equal(String(rest), 'bye');
      await closed(visitor);
    }
    await until(isQuiet);
  });

  test(`${engine}: a bulk upload that ends is answered (half-close)`, options, async (t) => {
    const { open } = await bench(t, engine, (socket) => {
      const up = receive(socket);
      void up.hash.then((hash) => socket.end(hash));
    });
    const visitor = await open();
    let answer = '';
    visitor.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    const hash = await send(visitor, 20);
    await once(visitor, 'end');
    assert.equal(answer, hash);
  });

  test(`${engine}: a visitor that reads slowly gets every byte`, options, async (t) => {
    let sent!: Promise<string>;
    const { open } = await bench(t, engine, (socket) => void (sent = send(socket, 30)));
    const received = await readSlowly(await open());
    assert.equal(received, await sent);
  });

  test(`${engine}: a visitor that disconnects in a bulk transfer costs its connection only`, options, async (t) => {
    const services: Socket[] = [];
    const { open, inBulk } = await bench(t, engine, (socket) => {
      // Whether it sees an end or a reset depends on how much of the visitor's TLS has arrived.
      services.push(socket.resume().on('end', () => socket.end()));
      socket.once('data', (chunk: Buffer) => {
        if (chunk[0] === 0x66) flood(socket);
        else if (chunk[0] !== 0) socket.end(chunk);
      });
    });
    for (const direction of ['down', 'up']) {
      const before = services.length;
      const visitor = await open();
      visitor.resume().write(direction === 'down' ? 'f' : Buffer.alloc(megabyte));
      if (direction === 'up') flood(visitor);
      await inBulk(visitor);
      await until(() => services.length === before + 1);
      const gone = closed(services.at(-1)!);
      visitor.destroy();
      await gone;
    }
    const next = await open();
    next.write('small');
    assert.equal(String((await once(next, 'data'))[0]), 'small');
    next.destroy();
    await until(isQuiet);
  });

  test(`${engine}: a service that resets in a bulk transfer ends its visitor’s connection`, options, async (t) => {
    const services: Socket[] = [];
    const { open, inBulk } = await bench(t, engine, (socket) => {
      services.push(socket);
      flood(socket);
    });
    const visitor = await open();
    const gone = closed(visitor.resume());
    await inBulk(visitor);
    services[0]!.resetAndDestroy();
    await gone;
    await until(isQuiet);
  });

  test(`${engine}: a ban ends a bulk transfer`, options, async (t) => {
    const { relay, open, inBulk, hostname, tunnel } = await bench(t, engine, flood);
    const admin = await adminOf(relay, operator);
    const visitor = await open();
    const gone = closed(visitor.resume());
    await inBulk(visitor);
    const lease = (await admin.snapshot()).leases.find((each: { hostname: string }) => each.hostname === hostname);
    await admin.post(leasePath(lease, 'ban'));
    await gone;
    await until(isQuiet);
    await tunnel.closed;
  });

  test(`${engine}: a bandwidth limit holds for a bulk transfer under way`, options, async (t) => {
    const { relay, open, inBulk, hostname } = await bench(t, engine, flood);
    const admin = await adminOf(relay, operator);
    const visitor = await open();
    const down = receive(visitor);
    await inBulk(visitor);
    const lease = (await admin.snapshot()).leases.find((each: { hostname: string }) => each.hostname === hostname);
    assert.equal((await admin.post(leasePath(lease, 'bps'), { bps: 1_000 })).status, 200);
    await until(() => pumps.running === 0);
    // What was on the way arrives, and then next to nothing.
    let last = -1;
    await until(() => {
      const still = down.bytes() === last;
      last = down.bytes();
      return still && last > 0;
    });
    assert.equal((await admin.delete(leasePath(lease, 'bps'))).status, 200);
    await until(() => down.bytes() > last + 20 * megabyte);
    visitor.destroy();
  });

  test(`${engine}: closing the tunnel without grace ends a bulk transfer`, options, async (t) => {
    const { open, inBulk, tunnel } = await bench(t, engine, flood);
    const visitor = await open();
    const gone = closed(visitor.resume());
    await inBulk(visitor);
    await tunnel.close(0);
    await gone;
    await until(isQuiet);
  });

  test(`${engine}: a relay that stops in bulk transfers leaves no descriptor open`, options, async (t) => {
    const { relay, open, inBulk, tunnel } = await bench(t, engine, flood);
    const before = openDescriptors();
    const visitors = await Promise.all([open(), open(), open()]);
    const gone = visitors.map((visitor) => closed(visitor.resume()));
    for (const visitor of visitors) await inBulk(visitor);
    await relay.stop();
    await tunnel.close(0);
    await Promise.all(gone);
    await until(() => openDescriptors() <= before);
  });
}

test(
  'a worker that fails ends the connections that it moved, and the relay serves on',
  { skip: !hasKernel },
  async (t) => {
    const { open, inBulk } = await bench(t, 'kernel', (socket) => {
      socket.once('data', (chunk: Buffer) => (chunk[0] === 0x66 ? flood(socket) : socket.end(chunk)));
    });
    const visitor = await open();
    const gone = closed(visitor.resume());
    pumps.areBroken = true;
    visitor.write('f');
    await gone;
    pumps.areBroken = false;
    assert.ok(pumps.started > 0);
    await until(() => pumps.running === 0);
    const next = await open();
    next.write('small');
    assert.equal(String((await once(next, 'data'))[0]), 'small');
    const bulk = await open();
    bulk.resume().write('f');
    await inBulk(bulk);
    bulk.destroy();
  },
);

test(
  'a fault in the main thread’s handler ends the connections of that worker alone',
  { skip: !hasKernel },
  async (t) => {
    const { open, inBulk } = await bench(t, 'kernel', flood);
    const visitor = await open();
    const gone = closed(visitor.resume());
    await inBulk(visitor);
    injectFaults((name) => {
      if (name !== 'data worker message') return;
      injectFaults(undefined);
      throw new Error('injected');
    });
    await gone;
    await until(() => pumps.running === 0);
    const next = await open();
    next.resume();
    await inBulk(next);
    next.destroy();
  },
);

test('an entry worker that fails ends its connections, and the relay serves on', { skip: !hasKernel }, async (t) => {
  const { relay, open, inBulk, hostname } = await bench(t, 'entry', (socket) => {
    socket.once('data', (chunk: Buffer) => (chunk[0] === 0x66 ? flood(socket) : socket.end(chunk)));
  });
  const before = openDescriptors();
  const visitor = await open();
  const gone = closed(visitor.resume());
  visitor.write('f');
  await inBulk(visitor);
  const [thread] = threads;
  await thread!.terminate();
  await gone;
  assert.equal(relay.relay.load.connections, 0);
  // Its tunnel comes back by itself, and is served by this thread, until another worker may start.
  await until(() =>
    tryTo(async () => {
      const next = await visitTls(relay, hostname);
      next.write('small');
      assert.equal(String((await once(next, 'data'))[0]), 'small');
    }),
  );
  await until(() => openDescriptors() <= before + 8);
  // That takes the sessions over.
  await until(() => lendings.ready > 0);
  const bulk = await open();
  bulk.resume().write('f');
  await inBulk(bulk);
  bulk.destroy();
});

/** Whether it succeeds. */
async function tryTo(work: () => Promise<void>): Promise<boolean> {
  return await work().then(
    () => true,
    () => false,
  );
}
