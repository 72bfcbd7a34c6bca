import type { TLSSocket } from 'node:tls';
import { withDeadline } from '../../sdk/calls/deadline.js';
import { type TlsDialOptions, dialTls } from '../../sdk/transport/dial-tls.js';
import { NetworkError } from '../../sdk/calls/errors.js';

/** Deadline of the probe's TLS handshake, including the wait for a session and the signature. */
const probeTimeoutMs = 15_000;
const probeCloseTimeoutMs = 2_000;

/** A client's connection to a public name, after the TLS handshake. */
export interface ProbeConnection {
  /** As Node names it: `TLSv1.3`. */
  readonly protocol: string | null;
  /** Exports keying material at this end of the connection (RFC 8446 7.5). */
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
  /** Closes the connection without reading; immediately when the signal is aborted. Settles when it is closed. */
  close(signal: AbortSignal): Promise<void>;
}

/**
 * Connects to a public name like any client: with Node's TLS defaults, TLS 1.2 and session tickets included, and the
 * ALPN protocols of browsers and curl. Never resumes a session.
 * @param url `https://hostname[:port]`
 * @throws NetworkError; the signal's reason when aborted
 */
export async function openProbeConnection(
  url: URL,
  options: TlsDialOptions,
  signal: AbortSignal,
): Promise<ProbeConnection> {
  const expired = () => new NetworkError('timeout', `${url.host} did not answer within ${probeTimeoutMs / 1000} s`);
  const details = { ALPNProtocols: ['h2', 'http/1.1'] };
  const socket = await withDeadline(probeTimeoutMs, signal, expired, (dialSignal) =>
    dialTls(url, options, details, dialSignal),
  );
  socket.on('error', () => undefined);
  return {
    protocol: socket.getProtocol(),
    exportKeyingMaterial: (length, label, context) => socket.exportKeyingMaterial(length, label, context),
    close: (closeSignal) => close(socket, closeSignal),
  };
}

async function close(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    const cut = () => socket.destroy();
    const timer = setTimeout(cut, probeCloseTimeoutMs);
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
