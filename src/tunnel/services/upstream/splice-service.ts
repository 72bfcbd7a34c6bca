import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { BulkDetector, PooledReads } from '../../../net/pooled-reads.js';
import { guard } from '../../../util/boundary.js';

/** After the service has ended its direction: how long an idle visitor may keep its own direction open. */
const lingerAfterTargetEndMs = 120_000;
/** After the service has closed and its response is sent: how long data of the visitor is still read. */
const lingerAfterAnswerMs = 10_000;
/** After a connection error of the service: how long its last bytes may take to reach the visitor. */
const flushAfterTargetFailureMs = 10_000;

export interface SpliceOutcome {
  /** Bytes from the visitor to the service, and back. */
  received: number;
  sent: number;
  /** The error that broke the connection; absent if both sides ended their directions. */
  error?: Error | undefined;
}

/**
 * Splices a visitor and the service: bytes, backpressure and the end of each direction are forwarded. Settles, never
 * rejects, when both streams are closed.
 *
 * When one side breaks, the other is closed too, and can tell that it was truncated: a visitor by the missing
 * close_notify, after the bytes that the service had already sent; a service in the middle of a visitor's message by a
 * reset.
 */
export function splice(visitor: Duplex, target: Socket): Promise<SpliceOutcome> {
  const outcome: SpliceOutcome = { received: 0, sent: 0 };
  // It may have closed while the service was being connected to.
  if (visitor.errored) outcome.error = visitor.errored;
  let visitorSpokeLast = false;
  let open = 2;
  /** Chunks that the visitor's stream has not sent yet, and whether the service broke after them. */
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
      // Several TLS records often arrive together: send them in one write.
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
        // A clean end has already ended the target's direction; it may still be sending.
        // Only TCP has a reset: not a Unix socket, and not Node's TLS.
        const canReset = target.remoteAddress !== undefined && !(target instanceof TLSSocket);
        if (canReset && visitorSpokeLast && !visitor.readableEnded) target.resetAndDestroy();
        else target.destroy();
      }
      onClosed();
    });

    whenClosed(target, () => {
      reads?.flush();
      if (!visitor.destroyed && !(target.readableEnded && visitor.readableEnded)) {
        // Discard what the visitor still sends.
        discard();
        if (target.readableEnded) {
          // The service closed after its response, which is still being sent. Closing now would reset the connection
          // before it arrives, since the visitor is still sending.
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
