import type { Duplex } from 'node:stream';
import { guard } from '../../util/boundary.js';
import { BulkDetector, type Flushable, bulkChunkBytes, reuse } from '../../net/pooled-reads.js';
import type { KernelEngine, RunningPump, StoppedPump } from '../../kernel/kernel-engine.js';
import type { Codec } from '../../kernel/pump.js';
import { type Lendable, lendable } from '../../net/lending.js';
import { FramedChannel } from '../../streams/framed-channel.js';
import type { Bandwidth, Paced, Share } from '../../util/bandwidth.js';

/** Most bytes that one direction buffers for a slow side. */
const maxUnwrittenBytes = 131_072;

/**
 * A direction is lent after this many pieces; a bulk transfer at once. When it cannot be lent, or has come back, it is
 * tried again after twice as many, so that attempts never cost much.
 */
const lendAfterPieces = 32;
const maxLendAfterPieces = 4_096;
const nothing = Buffer.alloc(0);

/** Called for bytes as they pass: from `a` to `b`, or back. */
export interface SpliceMeter {
  forward(bytes: number): void;
  backward(bytes: number): void;
}

/**
 * Connects two streams: bytes, end and backpressure of each reach the other, and each direction ends on its own
 * (half-close). When one side fails, the other is destroyed. Settles, and never rejects, when both are closed.
 * @param bandwidth the lease's bandwidth, shared with its other connections
 * @param kernel takes directions over that move much, or often, where both sides can lend their sockets
 * @returns the error, unless both directions ended regularly
 */
export async function splice(
  a: Duplex,
  b: Duplex,
  meter: SpliceMeter,
  bandwidth: Bandwidth,
  kernel?: KernelEngine,
): Promise<Error | undefined> {
  let broken: Error | undefined;
  const fail = (error: Error | undefined) => {
    broken ??= error;
    a.destroy();
    b.destroy();
  };
  const share = bandwidth.join();
  new Flow(a, b, (bytes) => meter.forward(bytes), bandwidth, share, kernel);
  new Flow(b, a, (bytes) => meter.backward(bytes), bandwidth, share, kernel);
  await Promise.all([closed(a, fail), closed(b, fail)]);
  bandwidth.leave(share);
  return broken;
}

/** Copies from `from` to `to`, no faster than `to` accepts it and the bandwidth allows. */
class Flow implements Paced {
  /** `to` has to drain. */
  #blocked = false;
  /** Waiting for bandwidth. */
  #held = false;
  readonly #bulk = new BulkDetector();
  #reads: Flushable | undefined;
  /** A kernel pump moves the bytes, or is about to. */
  #lent = false;
  /** Since the last attempt. */
  #pieces = 0;
  #lendAfter = lendAfterPieces;

  constructor(
    private readonly from: Duplex,
    private readonly to: Duplex,
    private readonly count: (bytes: number) => void,
    private readonly bandwidth: Bandwidth,
    private readonly share: Share,
    private readonly kernel: KernelEngine | undefined,
  ) {
    from.on(
      'data',
      guard(
        'splice data',
        (chunk: Buffer) => this.#pass(chunk),
        () => this.#destroy(),
      ),
    );
    // It may have ended while its first bytes were passed on.
    if (from.readableEnded) to.end();
    from.once('end', () => {
      this.#reads?.flush();
      to.end();
    });
    to.on('drain', () => this.#drained());
    from.resume();
  }

  #pass(chunk: Buffer): void {
    if (this.to.writable) this.#write(chunk);
    this.#account(chunk.length);
    if (!this.#bulk.isBulk(chunk.length)) return;
    this.#reads = reuse(this.from, (bytes, release, hasHeadroom) => {
      if (this.to.writable) this.#write(bytes, release, hasHeadroom);
      else release();
      this.#account(bytes.length);
    });
    this.#lendSoon();
  }

  /** Stops reading, and lends the direction once all that was read is written. */
  #lendSoon(): void {
    this.#pieces = 0;
    this.#lendAfter = Math.min(this.#lendAfter * 2, maxLendAfterPieces);
    const { kernel, from, to, bandwidth } = this;
    if (!kernel || this.#lent || bandwidth.limit !== undefined || !to.writable) return;
    const [source, sink] = [lendable(from), lendable(to)];
    if (!source || !sink || !kernel.hasRoom()) return;
    this.#lent = true;
    from.pause();
    to.write(
      nothing,
      guard(
        'splice data',
        (error: Error | null | undefined) => {
          if (error || !this.#lend(kernel, source, sink)) this.#returned();
        },
        this.#destroy,
      ),
    );
  }

  readonly #destroy = (): void => {
    this.from.destroy();
    this.to.destroy();
  };

  /** @returns whether the kernel has taken the direction over */
  #lend(kernel: KernelEngine, source: Lendable, sink: Lendable): boolean {
    let pump: RunningPump | undefined;
    const borrower = { recall: () => pump?.end(), drop: () => pump?.drop() };
    if (this.bandwidth.limit !== undefined) return false;
    const reads = source.lendReads(borrower);
    if (!reads) return false;
    const writes = sink.lendWrites(borrower);
    const codec = writes && codecFor(reads.left !== undefined, writes.framed);
    if (codec) {
      pump = kernel.start({
        from: reads.fd,
        to: writes.fd,
        codec,
        owner: this.bandwidth.id,
        left: reads.left ?? 0,
        onMoved: (bytes) => this.count(bytes),
        onStopped: guard(
          'splice data',
          ({ left, unread, fault }: StoppedPump) => {
            pump = undefined;
            unsubscribe();
            source.returnReads(left, unread);
            sink.returnWrites();
            if (fault && fault.side !== 'to') source.lose(fault.error);
            if (fault && fault.side !== 'from') sink.lose(fault.error);
            this.#returned();
          },
          this.#destroy,
        ),
      });
    }
    const unsubscribe = this.bandwidth.whenLimited(() => pump?.end());
    if (pump) return true;
    unsubscribe();
    if (writes) sink.returnWrites();
    source.returnReads(reads.left ?? 0, nothing);
    return false;
  }

  #returned(): void {
    this.#lent = false;
    if (!this.#blocked && !this.#held) this.from.resume();
  }

  #write(bytes: Buffer, release?: () => void, hasHeadroom = false): void {
    // Large pieces come several in a row: they go out in one write.
    if (bytes.length >= bulkChunkBytes && this.to.writableCorked === 0) {
      this.to.cork();
      process.nextTick(this.#uncork);
    }
    if (hasHeadroom && this.to instanceof FramedChannel) this.to.writeInPlace(bytes, release);
    else this.to.write(bytes, release);
  }

  readonly #uncork = (): void => this.to.uncork();

  #account(bytes: number): void {
    this.count(bytes);
    // Only past this size: waiting at each chunk would be busy waiting.
    if (this.to.writableNeedDrain && this.to.writableLength >= maxUnwrittenBytes) this.#blocked = true;
    if (this.bandwidth.limit !== undefined && !this.bandwidth.spend(this.share, this, bytes)) this.#held = true;
    if (this.#blocked || this.#held || this.#lent) this.from.pause();
    if (++this.#pieces >= this.#lendAfter) this.#lendSoon();
  }

  #drained(): void {
    this.#blocked = false;
    if (!this.#held && !this.#lent) this.from.resume();
  }

  resume(): void {
    this.#held = false;
    if (!this.#blocked && !this.#lent) this.from.resume();
  }
}

/** @returns undefined for frames on both sides, which nobody joins */
function codecFor(isFramed: boolean, toFrames: boolean): Codec | undefined {
  if (isFramed) return toFrames ? undefined : 'deframe';
  return toFrames ? 'frame' : 'copy';
}

/** Settles at `close`; a stream that closes before both directions ended destroys the other. */
async function closed(stream: Duplex, fail: (error: Error | undefined) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      if (!stream.readableEnded || !stream.writableFinished) fail(undefined);
      resolve();
    };
    stream.on('error', fail);
    if (stream.closed) done();
    else stream.once('close', done);
  });
}
