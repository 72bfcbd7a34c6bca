import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BulkDetector, PooledReads } from '../../../net/pooled-reads.js';
import { guard } from '../../../util/boundary.js';

/** Where the service has ended its direction, how long a silent visitor may keep its own direction open. */
const lingerAfterTargetEndMs = 120_000;
/** Where the service is gone and its answer is out, how long a visitor who still speaks is listened to. */
const lingerAfterAnswerMs = 10_000;
/** Where the service broke off, how long what it had said may take to reach the visitor. */
const flushAfterTargetFailureMs = 10_000;

export interface SpliceOutcome {
  /** Bytes from the visitor to the service, and back. */
  received: number;
  sent: number;
  /** What broke the connection, when it did not end by both sides ending their directions. */
  error?: Error | undefined;
}

/**
 * Joins a visitor to the service: bytes, backpressure and the end of each direction pass on, nothing else is kept. Settles,
 * never rejects, when both streams are closed.
 *
 * When one side breaks, the other is not left hanging, and learns that it was cut short: a visitor by the missing
 * close_notify, once it has what the service had already said; a service in the middle of a visitor's message by a reset.
 */
export function splice(visitor: Duplex, target: Socket): Promise<SpliceOutcome> {
  const outcome: SpliceOutcome = { received: 0, sent: 0 };
  // It may have broken while the service was being reached.
  if (visitor.errored) outcome.error = visitor.errored;
  let visitorSpokeLast = false;
  let open = 2;
  /** Chunks that the visitor's stream has not passed on, and whether the service broke off behind them. */
  let unwritten = 0;
  let brokeOff = false;
  let timer: NodeJS.Timeout | undefined;

  const cut = () => {
    visitor.destroy();
    target.destroy();
  };
  const toTarget = guard(
    'service data',
    (chunk: Buffer) => {
      outcome.received += chunk.length;
      visitorSpokeLast = true;
      timer?.refresh();
      // Records come several in a row: they go out in one write.
      if (!target.writableCorked) {
        target.cork();
        process.nextTick(uncork);
      }
      if (!target.write(chunk)) visitor.pause();
    },
    cut,
  );
  const uncork = () => target.uncork();
  let reads: PooledReads | undefined;
  const bulk = new BulkDetector();

  const toVisitor = guard(
    'service data',
    (chunk: Buffer) => {
      pass(chunk, written);
      if (!bulk.isBulk(chunk.length)) return;
      reads = PooledReads.start(target, (bytes, release) => {
        pass(bytes, () => {
          release();
          written();
        });
      });
    },
    cut,
  );
  const pass = (chunk: Buffer, done: () => void) => {
    outcome.sent += chunk.length;
    visitorSpokeLast = false;
    unwritten++;
    if (!visitor.write(chunk, done)) target.pause();
  };
  const written = () => {
    if (--unwritten === 0 && brokeOff) visitor.destroy();
  };
  const discard = () => {
    visitor.off('data', toTarget).on('data', () => undefined);
    visitor.resume();
  };
  const limit = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => visitor.destroy(), ms);
  };

  visitor.on('data', toTarget);
  visitor.on('drain', () => target.resume());
  visitor.once('end', () => target.end());
  visitor.once('error', (error) => (outcome.error ??= error));

  target.on('data', toVisitor);
  target.on('drain', () => visitor.resume());
  target.once('end', () => {
    reads?.flush();
    visitor.end();
    if (!visitor.readableEnded) limit(lingerAfterTargetEndMs);
  });
  target.once('error', (error) => (outcome.error ??= error));

  return new Promise((resolve) => {
    const onClosed = () => {
      if (--open > 0) return;
      clearTimeout(timer);
      resolve(outcome);
    };

    whenClosed(visitor, () => {
      if (!target.destroyed) {
        // A clean end has ended the target's direction already; it may still be answering into the void.
        if (visitorSpokeLast && !visitor.readableEnded) target.resetAndDestroy();
        else target.destroy();
      }
      onClosed();
    });

    whenClosed(target, () => {
      reads?.flush();
      if (!visitor.destroyed && !(target.readableEnded && visitor.readableEnded)) {
        // What the visitor still says has nowhere to go.
        discard();
        if (target.readableEnded) {
          // The service closed after its answer, all of which is on its way. Closing at once would reset the connection
          // under it, for the visitor still speaks.
          limit(lingerAfterTargetEndMs);
          if (visitor.writableFinished) limit(lingerAfterAnswerMs);
          else visitor.once('finish', () => limit(lingerAfterAnswerMs));
        } else if (unwritten === 0) {
          visitor.destroy();
        } else {
          brokeOff = true;
          limit(flushAfterTargetFailureMs);
        }
      }
      onClosed();
    });
  });
}

function whenClosed(stream: Duplex, listener: () => void): void {
  if (stream.closed) listener();
  else stream.once('close', listener);
}
