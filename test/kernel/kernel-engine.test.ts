import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Socket, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { FileDescriptor } from '../../src/kernel/file-descriptor.js';
import { KernelEngine, type PumpRequest, type WorkerLoads } from '../../src/kernel/kernel-engine.js';
import type { Codec } from '../../src/kernel/pump.js';
import { loadLibc } from '../../src/kernel/libc.js';
import { fileDescriptorOf } from '../../src/net/lending.js';
import { portOf } from '../../src/net/listen.js';
import { until } from '../support/until.js';

const onLinux = { skip: process.platform !== 'linux' && 'the kernel data plane needs Linux' };
const libc = loadLibc();

/** A connection: what the other side sees, and the socket that is lent, from which Node does not read. */
async function connection(t: TestContext): Promise<{ far: Socket; near: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({ port: portOf(server), host: '127.0.0.1', allowHalfOpen: true });
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [far, near]) {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  return { far, near };
}

type Result = Parameters<PumpRequest['onStopped']>[0];

/** Each pump goes to the worker that has the fewest. */
const spread: WorkerLoads = { busy: 0, full: 1 };

async function bench(t: TestContext, workers = 1, loads?: WorkerLoads) {
  const failures: [string, number][] = [];
  const onFailed = (error: Error, pumps: number) => failures.push([error.message, pumps]);
  const engine = KernelEngine.load(workers, onFailed, loads)!;
  t.after(() => engine.stop());
  await until(() => engine.hasRoom());
  const start = async (codec: Codec, left = 0) => {
    const [source, sink] = [await connection(t), await connection(t)];
    let moved = 0;
    let pump!: ReturnType<KernelEngine['start']>;
    const stopped = new Promise<Result>((resolve) => {
      pump = engine.start({
        from: fileDescriptorOf(source.near)!,
        to: fileDescriptorOf(sink.near)!,
        codec,
        left,
        owner: 1,
        onMoved: (bytes) => (moved += bytes),
        onStopped: resolve,
      });
    });
    assert.ok(pump);
    return { source, sink, pump, stopped, moved: () => moved };
  };
  return { engine, start, failures };
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

test('here the kernel engine is available', onLinux, () => {
  assert.ok(libc, 'npm ci installs koffi');
});

for (const codec of ['copy', 'deframe'] as const)
  test(`a gigabyte arrives intact through ${codec}, and is counted`, onLinux, async (t) => {
    const { start } = await bench(t);
    const { source, sink, stopped, moved } = await start(codec);
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    let bytes = 0;
    sink.far.on('data', (chunk: Buffer) => {
      received.update(chunk);
      bytes += chunk.length;
    });
    const content = randomBytes(1 << 20);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(content.length);
    for (let count = 0; count < 1_000; count++) {
      content.writeUInt32BE(count);
      sent.update(content);
      if (codec === 'deframe') source.far.write(header);
      if (!source.far.write(Buffer.from(content))) await once(source.far, 'drain');
    }
    source.far.end();
    assert.deepEqual(await stopped, { left: 0, unread: Buffer.alloc(0) });
    await until(() => bytes === 1_000 << 20);
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.equal(moved(), 1_000 << 20);
  });

test('frames that arrive one byte at a time are deframed, and the record behind them is left', onLinux, async (t) => {
  const { start } = await bench(t);
  const { source, sink, stopped } = await start('deframe');
  source.far.setNoDelay(true);
  const heard: Buffer[] = [];
  sink.far.on('data', (chunk: Buffer) => heard.push(chunk));
  for (const byte of Buffer.from('000000036162630000000164', 'hex')) {
    source.far.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  source.far.write(Buffer.from('1703030012', 'hex'));
  const { left, unread, fault } = await stopped;
  assert.deepEqual([left, fault], [0, undefined]);
  await until(() => Buffer.concat(heard).length === 4);
  assert.equal(String(Buffer.concat(heard)), 'abcd');
  // Node reads on where the pump has stopped.
  source.far.write('more');
  const [rest] = (await once(source.near.resume(), 'data')) as [Buffer];
  assert.equal(Buffer.concat([unread, rest]).toString('latin1'), '\x17\x03\x03\x00\x12more');
});

test('a reader that does not read stops the pump, and gets everything later', onLinux, async (t) => {
  const { start } = await bench(t);
  const { source, sink, stopped } = await start('frame');
  const chunk = Buffer.alloc(1 << 18, 7);
  let written = 0;
  // As much as the machine's own buffers take, until no write has been finished for a while.
  for (let turns = 0; turns < 200 && written < 64_000_000; turns++) {
    if (!source.far.writableNeedDrain) {
      source.far.write(chunk);
      written += chunk.length;
      turns = 0;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(written < 64_000_000, 'everything was taken');
  source.far.end();
  let bytes = 0;
  sink.far.on('data', (piece: Buffer) => (bytes += piece.length));
  await stopped;
  // Each piece has a header.
  await until(() => bytes > written);
});

test('a reset is a fault of its side, not an end', onLinux, async (t) => {
  const { start } = await bench(t);
  const reading = await start('frame');
  reading.source.far.resetAndDestroy();
  const read = await reading.stopped;
  assert.equal(read.fault?.side, 'from');
  assert.equal((read.fault?.error as NodeJS.ErrnoException).code, 'ECONNRESET');

  const writing = await start('frame');
  writing.sink.far.resetAndDestroy();
  const keep = setInterval(() => writing.source.far.write('more'), 10);
  const wrote = await writing.stopped;
  clearInterval(keep);
  assert.equal(wrote.fault?.side, 'to');
});

test('a worker that fails ends its own pumps, and the next pump gets another worker', onLinux, async (t) => {
  const { engine, start, failures } = await bench(t, 2, spread);
  const other = await start('frame');
  // The one that fails has the second worker for itself.
  engine.hasRoom();
  await until(() => engine.workers === 2);
  const [source, sink] = [await connection(t), await connection(t)];
  const failed = new Promise<Result>((resolve) => {
    engine.start({
      from: fileDescriptorOf(source.near)!,
      to: fileDescriptorOf(sink.near)!,
      codec: 'deframe',
      left: 1n as never,
      owner: 1,
      onMoved: () => {},
      onStopped: resolve,
    });
  });
  source.far.write('x');
  assert.equal((await failed).fault?.side, 'both');
  assert.equal(failures.length, 1);
  assert.equal(failures[0]![1], 1);

  const next = await start('frame');
  for (const { source: from, sink: to } of [other, next]) {
    from.far.write('still here');
    const [bytes] = (await once(to.far, 'data')) as [Buffer];
    assert.equal(bytes.toString('latin1', 4), 'still here');
  }
});

test('a worker at its full load gives half of its pumps back', onLinux, async (t) => {
  const { start } = await bench(t, 1, { busy: 1, full: 0 });
  const pumps = [await start('frame'), await start('frame'), await start('frame')];
  const given = new Set<number>();
  pumps.forEach(({ stopped }, index) => void stopped.then(() => given.add(index)));
  // Only a worker that moves bytes reports its load.
  const moving = setInterval(() => pumps[0]!.source.far.write('x'), 10);
  t.after(() => clearInterval(moving));
  assert.deepEqual(await pumps[1]!.stopped, { left: 0, unread: Buffer.alloc(0) });
  pumps[2]!.source.far.write('still here');
  const [bytes] = (await once(pumps[2]!.sink.far, 'data')) as [Buffer];
  assert.equal(bytes.toString('latin1', 4), 'still here');
  assert.ok(!given.has(0) && !given.has(2));
});

test('2,000 pumps that end in every way leave no descriptor open', onLinux, async (t) => {
  const { start, engine } = await bench(t, 2);
  await (await start('frame')).source.near.destroy();
  const ways = [
    (one: Awaited<ReturnType<typeof start>>) => one.source.far.end(),
    (one: Awaited<ReturnType<typeof start>>) => one.source.far.resetAndDestroy(),
    (one: Awaited<ReturnType<typeof start>>) => one.pump!.end(),
    (one: Awaited<ReturnType<typeof start>>) => one.pump!.drop(),
    (one: Awaited<ReturnType<typeof start>>) => one.source.far.write('half a frame', () => one.pump!.drop()),
  ];
  let before = 0;
  for (let count = 0; count < 2_000; count++) {
    const one = await start(count % 2 === 0 ? 'frame' : 'deframe', count % 3);
    ways[count % ways.length]!(one);
    await one.stopped;
    for (const { far, near } of [one.source, one.sink]) {
      far.destroy();
      near.destroy();
    }
    if (count === 100) before = openDescriptors();
  }
  await until(() => openDescriptors() <= before);
  await engine.stop();
});

/** Runs a program with the engine in a process of its own, with this limit of open files. */
async function inProcess(program: string, openFiles: number): Promise<{ code: number | null; output: string }> {
  const engine = new URL('../../src/kernel/kernel-engine.js', import.meta.url).href;
  const source = `import net from 'node:net'; import fs from 'node:fs'; import { once } from 'node:events';
import { KernelEngine } from '${engine}';
const engine = KernelEngine.load(2, (error, pumps) => console.log('failed with', pumps, 'pumps'));
const room = async (is) => { while (engine.hasRoom() !== is) await new Promise((resolve) => setTimeout(resolve, 5)); };
const ready = () => room(true);
const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
await once(server, 'listening');
const near = async () => {
  net.connect(server.address().port, '127.0.0.1').on('error', () => {});
  return (await once(server, 'connection'))[0];
};
const pump = (from, to) => engine.start({ from: from._handle.fd, to: to._handle.fd, codec: 'frame', left: 0, owner: 1, onMoved() {}, onStopped() {} });
const fill = () => { const held = []; for (;;) try { held.push(fs.openSync('/dev/null')); } catch { return held; } };
${program}`;
  const node = [process.execPath, '--input-type=module', '-e', source];
  const child = spawn('sh', ['-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh', ...node], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 30_000,
  });
  const output = await text(child.stdout);
  if (child.exitCode === null) await once(child, 'exit');
  return { code: child.exitCode, output };
}

test('a process exits at once while its workers wait, with and without pumps', onLinux, async () => {
  for (const program of ['', 'pump(await near(), await near());']) {
    const { code } = await inProcess(`await ready(); ${program} process.exit(70);`, 1_024);
    assert.equal(code, 70);
  }
});

test('without a free file descriptor no pump starts, and the process lives', onLinux, async () => {
  const withWorker = `await ready(); const [a, b] = [await near(), await near()];
fill(); console.log(pump(a, b)); await room(false); process.exit(0);`;
  assert.deepEqual(await inProcess(withWorker, 128), { code: 0, output: 'undefined\n' });
});

test('no pump starts once half of the files that may be open are open', onLinux, async () => {
  const program = `await ready(); const held = fill(); for (const fd of held.splice(0, 20)) fs.closeSync(fd);
await room(false);
for (const fd of held) fs.closeSync(fd);
await room(true); process.exit(0);`;
  assert.deepEqual(await inProcess(program, 256), { code: 0, output: '' });
});

test(
  'a file descriptor is closed once, and is not to be used afterwards, when its number is another’s',
  onLinux,
  () => {
    for (let round = 0; round < 1_000; round++) {
      const { read, write } = libc!.pipe(4_096);
      const first = new FileDescriptor(libc!, read);
      new FileDescriptor(libc!, write).close();
      first.close();
      const reused = new FileDescriptor(libc!, libc!.eventfd());
      first.close();
      assert.throws(() => first.fd, /closed/);
      // Still open: a second close of the first would have closed it.
      libc!.signal(reused.fd);
      new FileDescriptor(libc!, libc!.duplicate(reused.fd)).close();
      reused.close();
    }
  },
);
