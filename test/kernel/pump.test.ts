import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { errno } from '../../src/kernel/libc.js';
import { Pipes } from '../../src/kernel/pipes.js';
import { type Codec, Pump, type PumpTools } from '../../src/kernel/pump.js';

const none = Buffer.alloc(0);
const [from, to, pipe] = [3, 4, { read: 5, write: 6, bytes: 1_000 }];
/** Small, so that both ways are taken: through memory, and through a pipe. */
const copyBytes = 200;

function pumpOn(libc: PumpTools['libc'] & Pick<Simulated, 'read'>, codec: Codec, left = 0, pipes = [pipe]): Pump {
  const tools = { libc, scratch: Buffer.alloc(4 + copyBytes), pipes: new Pipes(libc, pipes) };
  return new Pump(tools, { from, to, codec, left, owner: 1 });
}

/** System calls on three queues of bytes, which do as much at a time as `random` allows. */
class Simulated {
  pipe = Buffer.alloc(0);
  sent = Buffer.alloc(0);
  ended = false;

  constructor(
    public source: Buffer,
    private readonly random: () => number,
  ) {}

  /** Up to `most`; -EAGAIN now and then. */
  #some(most: number): number {
    const draw = this.random();
    if (draw < 0.2) return -errno.EAGAIN;
    return draw > 0.6 ? most : Math.max(1, Math.ceil(most * draw));
  }

  read(fd: number, into: Buffer): number {
    assert.equal(fd, pipe.read);
    const count = this.pipe.copy(into);
    this.pipe = this.pipe.subarray(count);
    return count;
  }

  receive(fd: number, into: Buffer): number {
    assert.equal(fd, from);
    if (this.source.length === 0) return this.ended ? 0 : -errno.EAGAIN;
    const count = this.#some(Math.min(into.length, this.source.length));
    if (count < 0) return count;
    this.source.copy(into, 0, 0, count);
    this.source = this.source.subarray(count);
    return count;
  }

  send(fd: number, bytes: Buffer): number {
    assert.equal(fd, to);
    const count = this.#some(bytes.length);
    if (count > 0) this.sent = Buffer.concat([this.sent, bytes.subarray(0, count)]);
    return count;
  }

  splice(source: number, target: number, bytes: number): number {
    if (source === from) {
      assert.equal(target, pipe.write);
      if (this.source.length === 0) return this.ended ? 0 : -errno.EAGAIN;
      const count = this.#some(Math.min(bytes, this.source.length, 1_000));
      if (count < 0) return count;
      this.pipe = Buffer.concat([this.pipe, this.source.subarray(0, count)]);
      this.source = this.source.subarray(count);
      return count;
    }
    assert.deepEqual([source, target], [pipe.read, to]);
    assert.ok(bytes <= this.pipe.length);
    const count = this.#some(bytes);
    if (count < 0) return count;
    this.sent = Buffer.concat([this.sent, this.pipe.subarray(0, count)]);
    this.pipe = this.pipe.subarray(count);
    return count;
  }
}

function frame(content: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(content.length);
  return Buffer.concat([header, content]);
}

/** The contents of frames; the bytes must be whole frames. */
function unframe(bytes: Buffer): Buffer {
  const contents: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    assert.ok(length > 0 && at + 4 + length <= bytes.length, 'not whole frames');
    contents.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return Buffer.concat(contents);
}

function runUntilStopped(pump: Pump, limit = 100_000): void {
  for (let turns = 0; !pump.result; turns++) {
    assert.ok(turns < limit, 'the pump does not stop');
    pump.run();
  }
}

const bytes = fc.uint8Array({ maxLength: 5_000 }).map((array) => Buffer.from(array));
/** A seed, so that a counterexample is short. */
const draws = fc.integer();
function drawer(seed: number): () => number {
  let state = seed;
  return () => {
    // A linear congruential generator.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('whatever a system call does at a time, copy gives the same bytes', () => {
  fc.assert(
    fc.property(bytes, draws, (content, seed) => {
      const calls = new Simulated(content, drawer(seed));
      calls.ended = true;
      const pump = pumpOn(calls, 'copy');
      runUntilStopped(pump);
      assert.deepEqual(pump.result, { left: 0, unread: none, fault: undefined });
      assert.ok(calls.sent.equals(content));
      assert.equal(pump.moved, content.length);
    }),
  );
});

test('whatever a system call does at a time, frame gives whole frames of the same bytes', () => {
  fc.assert(
    fc.property(bytes, draws, (content, seed) => {
      const calls = new Simulated(content, drawer(seed));
      calls.ended = true;
      const pump = pumpOn(calls, 'frame');
      runUntilStopped(pump);
      assert.deepEqual(pump.result, { left: 0, unread: none, fault: undefined });
      assert.ok(unframe(calls.sent).equals(content));
      assert.equal(pump.moved, content.length);
    }),
  );
});

test('whatever a system call does at a time, deframe gives the contents, and gives back the first record', () => {
  fc.assert(
    fc.property(fc.array(bytes), fc.nat(3_000), draws, (contents, left, seed) => {
      const begun = Buffer.alloc(left, 0x61);
      const whole = contents.filter(({ length }) => length > 0);
      const record = Buffer.from('1703030012', 'hex');
      const calls = new Simulated(Buffer.concat([begun, ...whole.map(frame), record]), drawer(seed));
      const pump = pumpOn(calls, 'deframe', left);
      runUntilStopped(pump);
      assert.equal(pump.result!.left, 0);
      assert.equal(pump.result!.fault, undefined);
      assert.ok(calls.sent.equals(Buffer.concat([begun, ...whole])));
      assert.ok(Buffer.concat([pump.result!.unread, calls.source]).equals(record));
    }),
  );
});

test('a pump waits only when all that has arrived is passed on, since no event would follow', () => {
  const arrivals = fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { maxLength: 10 });
  fc.assert(
    fc.property(arrivals, fc.constantFrom<Codec>('copy', 'frame', 'deframe'), (contents, codec) => {
      const calls = new Simulated(Buffer.alloc(0), () => 1);
      const pump = pumpOn(calls, codec);
      const whole: Buffer[] = [];
      for (const content of contents.map((array) => Buffer.from(array))) {
        whole.push(content);
        // Of a frame, a part arrives before the rest.
        const arriving = codec === 'deframe' ? [frame(content).subarray(0, 3), frame(content).subarray(3)] : [content];
        for (const part of arriving) {
          calls.source = Buffer.concat([calls.source, part]);
          while (pump.run());
          assert.equal(calls.source.length, 0);
        }
        const passed = codec === 'frame' ? unframe(calls.sent) : calls.sent;
        assert.ok(passed.equals(Buffer.concat(whole)));
      }
      // The end comes together with the last bytes: there is one event for both.
      calls.source = codec === 'deframe' ? frame(Buffer.from('x')) : Buffer.from('x');
      calls.ended = true;
      pump.hangUp();
      while (pump.run());
      assert.deepEqual(pump.result, { left: 0, unread: none, fault: undefined });
    }),
  );
});

test('one owner has half of the pipes at most, and gets others back', () => {
  const four = [1, 2, 3, 4].map((read) => ({ read, write: read, bytes: 1_000 }));
  const pipes = new Pipes({ read: () => 0 }, four);
  const taken = [pipes.take(7), pipes.take(7)];
  assert.ok(taken.every(Boolean));
  assert.equal(pipes.take(7), undefined);
  assert.ok(pipes.take(8));
  pipes.give(7, taken[0]!, 0);
  assert.ok(pipes.take(7));
  assert.ok(pipes.take(8));
  assert.equal(pipes.take(9), undefined);
});

test('a pump that is dropped leaves its pipe empty to the next, or copies when there is none', () => {
  const calls = new Simulated(Buffer.alloc(1_200, 0x61), () => 1);
  const pipes = new Pipes(calls, [pipe]);
  const tools = { libc: { ...bind(calls), send: () => -errno.EAGAIN }, scratch: Buffer.alloc(4 + copyBytes), pipes };
  const blocked = new Pump(tools, { from, to, codec: 'deframe', left: 1_000, owner: 1 });
  blocked.run();
  // What was copied cannot be sent, and so nothing is in the pipe yet.
  assert.equal(calls.pipe.length, 0);
  const sends = {
    ...bind(calls),
    splice: (...[source, ...rest]: Parameters<Simulated['splice']>) =>
      source === from ? calls.splice(source, ...rest) : -errno.EAGAIN,
  };
  const holding = new Pump({ ...tools, libc: sends }, { from, to, codec: 'deframe', left: 900, owner: 1 });
  holding.run();
  assert.ok(calls.pipe.length > 0);
  assert.equal(pipes.take(2), undefined);
  holding.drop();
  assert.equal(calls.pipe.length, 0);
  assert.deepEqual(pipes.take(2), pipe);

  const without = new Simulated(Buffer.alloc(900, 0x61), () => 1);
  const copying = pumpOn(without, 'deframe', 900, []);
  while (copying.run());
  assert.equal(without.sent.length, 900);
});

test('end stops at the end of a frame, at any moment', () => {
  fc.assert(
    fc.property(bytes, fc.nat(20), draws, (content, turns, seed) => {
      const calls = new Simulated(content, drawer(seed));
      const pump = pumpOn(calls, 'frame');
      for (let turn = 0; turn < turns; turn++) pump.run();
      pump.end();
      runUntilStopped(pump);
      assert.equal(calls.pipe.length, 0);
      assert.ok(Buffer.concat([unframe(calls.sent), calls.source]).equals(content));
    }),
  );
});

for (const [what, header] of [
  ['an end', '00000000'],
  ['a frame of more than 1 MiB', '00100001'],
  ['an unknown byte', 'ff'],
] as const) {
  test(`deframe stops before ${what}, and gives it back`, () => {
    const calls = new Simulated(Buffer.from(`0000000161${header}`, 'hex'), () => 1);
    const pump = pumpOn(calls, 'deframe');
    runUntilStopped(pump);
    assert.equal(String(calls.sent), 'a');
    assert.equal(Buffer.concat([pump.result!.unread, calls.source]).toString('hex'), header);
  });
}

test('a failed call stops the pump with its side and errno', () => {
  const calls = new Simulated(Buffer.from('content'), () => 1);
  const reset = { ...bind(calls), receive: () => -errno.ECONNRESET };
  const reading = pumpOn(reset, 'frame');
  runUntilStopped(reading);
  assert.deepEqual(reading.result?.fault, { side: 'from', errno: errno.ECONNRESET });
  const broken = { ...bind(calls), send: () => -errno.EPIPE };
  const writing = pumpOn(broken, 'frame');
  runUntilStopped(writing);
  assert.deepEqual(writing.result?.fault, { side: 'to', errno: errno.EPIPE });
});

function bind(calls: Simulated) {
  return {
    read: calls.read.bind(calls),
    receive: calls.receive.bind(calls),
    send: calls.send.bind(calls),
    splice: calls.splice.bind(calls),
  };
}

test('drop stops at once and reports what is left of the frame', () => {
  const calls = new Simulated(Buffer.from('abc'), () => 1);
  const pump = pumpOn(calls, 'deframe', 10);
  pump.run();
  assert.equal(pump.result, undefined);
  pump.drop();
  assert.deepEqual(pump.result, { left: 7, unread: none, fault: undefined });
});
