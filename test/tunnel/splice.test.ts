import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { splice } from '../../src/tunnel/services/upstream/splice-service.js';
import { startTcpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

/** A visitor who takes what it is given only when told to. */
class SlowVisitor extends Duplex {
  readonly received: Buffer[] = [];
  #taken: (() => void) | undefined;
  #isFast = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.received.push(chunk);
    if (this.#isFast) done();
    else this.#taken = done;
  }

  readOn(): void {
    this.#isFast = true;
    this.#taken?.();
  }
}

/** Both ends of a connection to a service. */
async function connection(t: TestContext): Promise<{ target: Socket; service: Socket }> {
  let resolve!: (socket: Socket) => void;
  const server = new Promise<Socket>((resolved) => (resolve = resolved));
  const { port } = await startTcpService(t, resolve);
  const target = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(target, 'connect');
  return { target, service: await server };
}

test('a response is delivered completely although the service has closed and the visitor still sends', async (t) => {
  const { target, service } = await connection(t);
  const visitor = new SlowVisitor();
  const over = splice(visitor, target);
  const answer = randomBytes(10_000);
  service.end(answer);
  await once(target, 'end');
  service.resetAndDestroy();
  // The answer is still to come, and the visitor has something to say, to nobody.
  visitor.push('more of the question');
  await closed(target);
  visitor.readOn();
  await once(visitor, 'finish');
  visitor.push(null);
  const outcome = await over;
  assert.ok(Buffer.concat(visitor.received).equals(answer));
  assert.equal(outcome.sent, answer.length);
  assert.equal(visitor.errored, null);
});

test('bytes before a reset of the service reach a slow visitor, without a clean end', async (t) => {
  const { target, service } = await connection(t);
  const visitor = new SlowVisitor();
  const over = splice(visitor, target);
  const half = randomBytes(10_000);
  service.write(half);
  await until(() => Buffer.concat(visitor.received).length + visitor.writableLength >= half.length);
  service.resetAndDestroy();
  await closed(target);
  visitor.readOn();
  const outcome = await over;
  assert.equal(Buffer.concat(visitor.received).length, half.length);
  assert.equal((outcome.error as NodeJS.ErrnoException).code, 'ECONNRESET');
  assert.equal(visitor.writableFinished, false);
});

test('a visitor that closes after the response closes the upstream connection without a reset', async (t) => {
  const { target, service } = await connection(t);
  const visitor = new SlowVisitor();
  visitor.readOn();
  const over = splice(visitor, target);
  visitor.push('question');
  assert.equal((await once(service, 'data'))[0].toString(), 'question');
  service.write('answer');
  await once(target, 'data');
  visitor.destroy(new Error('left'));
  service.resume();
  await once(service, 'end');
  service.end();
  assert.equal((await over).error?.message, 'left');
});

/** Unlike `once`, indifferent to errors. */
async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
}
