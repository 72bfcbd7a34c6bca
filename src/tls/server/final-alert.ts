import { type Duplex } from 'node:stream';
import { alertLingerMs } from '../codec/constants.js';

const ignore = (): void => undefined;

/**
 * Lingering close of a failed connection: sends the last bytes and closes the transport once the peer has closed too,
 * or after `alertLingerMs`. An immediate close with unread bytes would reset the connection, and the peer might not
 * see the alert. `done` is called when the transport is destroyed.
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
  // Discard further data, but read it to see the end.
  transport.resume();
}

/** Destroys a transport without listeners; later errors are ignored. */
export function abandon(transport: Duplex): void {
  if (!transport.closed) {
    transport.on('error', ignore);
    transport.once('close', () => transport.off('error', ignore));
  }
  transport.destroy();
}
