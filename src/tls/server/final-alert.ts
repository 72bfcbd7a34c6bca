import { type Duplex } from 'node:stream';
import { alertLingerMs } from '../codec/constants.js';

const ignore = (): void => undefined;

/**
 * Sends the last bytes of a failed connection and closes the transport once the peer has closed too, or after
 * `alertLingerMs`. Closing at once would reset a connection with unread bytes, and the peer might never see the alert.
 * `done` is called when the transport is destroyed.
 */
export function endWithAlert(transport: Duplex, bytes: Buffer, done: () => void): void {
  const finish = (): void => {
    clearTimeout(timer);
    transport.off('end', finishWhenEnded);
    transport.off('finish', finishWhenEnded);
    transport.off('close', finish);
    abandon(transport);
    done();
  };
  const finishWhenEnded = (): void => {
    if (transport.readableEnded && transport.writableFinished) finish();
  };
  const timer = setTimeout(finish, alertLingerMs);
  transport.on('error', ignore);
  transport.once('close', () => transport.off('error', ignore));
  transport.once('end', finishWhenEnded);
  transport.once('finish', finishWhenEnded);
  transport.once('close', finish);
  transport.end(bytes);
  // What the peer still sends is of no interest, but has to be read for its end to be seen.
  transport.resume();
}

/** Destroys a transport nobody listens to any more; an error it still reports has nobody to tell. */
export function abandon(transport: Duplex): void {
  if (!transport.closed) {
    transport.on('error', ignore);
    transport.once('close', () => transport.off('error', ignore));
  }
  transport.destroy();
}
