import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { withDeadline } from '../sdk/deadline.js';
import { asNetworkError, NetworkError } from '../sdk/errors.js';
import { lookupWithLoopback } from '../sdk/loopback.js';
import { visitCloseTimeoutMs, visitTimeoutMs } from './constants.js';

/** A public name as one visitor meets it, the TLS handshake done. */
export interface Visit {
  /** As Node names it: `TLSv1.3`. */
  readonly protocol: string | null;
  /** Keying material of this end of the connection (RFC 8446 7.5). */
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
  /** Ends the connection, of which not a byte is read; at once when the signal is aborted. Settles when it is gone. */
  close(signal: AbortSignal): Promise<void>;
}

/**
 * Connects to a public name as anyone would: what Node's TLS offers by itself, TLS 1.2 and session tickets included, and the
 * protocols that browsers and curl ask for. Never with a former session.
 * @param url `https://hostname[:port]`
 * @param ca PEM certificates to trust instead of the well-known ones
 * @throws NetworkError; the signal's reason when aborted
 */
export async function visit(url: URL, ca: string | Buffer | undefined, signal: AbortSignal): Promise<Visit> {
  const expired = () => new NetworkError('timeout', `${url.host} did not answer within ${visitTimeoutMs / 1000} s`);
  return await withDeadline(visitTimeoutMs, signal, expired, (visitSignal) => handshake(url, ca, visitSignal));
}

function handshake(url: URL, ca: string | Buffer | undefined, signal: AbortSignal): Promise<Visit> {
  const socket = connect({
    ...(ca === undefined ? {} : { ca }),
    lookup: lookupWithLoopback,
    autoSelectFamily: true,
    host: url.hostname,
    port: url.port === '' ? 443 : Number(url.port),
    servername: url.hostname,
    ALPNProtocols: ['h2', 'http/1.1'],
  } as ConnectionOptions);
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket
        .off('secureConnect', onSecure)
        .off('error', onError)
        .off('close', onClose)
        .on('error', () => undefined);
    };
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason as Error);
    const onError = (error: Error) => fail(asNetworkError(error, url.host));
    const onClose = () => fail(asNetworkError(new Error('closed during the handshake'), url.host));
    const onSecure = () => {
      settle();
      resolve({
        protocol: socket.getProtocol(),
        exportKeyingMaterial: (length, label, context) => socket.exportKeyingMaterial(length, label, context),
        close: (closeSignal) => close(socket, closeSignal),
      });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
  });
}

async function close(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    const cut = () => socket.destroy();
    const timer = setTimeout(cut, visitCloseTimeoutMs);
    signal.addEventListener('abort', cut, { once: true });
    socket.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cut);
      resolve();
    });
    if (signal.aborted) cut();
    else socket.resume().end();
  });
}
