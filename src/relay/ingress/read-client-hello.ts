import type { Socket } from 'node:net';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import { ClientHelloReader } from '../../tls/records/client-hello-reader.js';
import { TlsAlertError, plaintextAlertRecord } from '../../tls/codec/alerts.js';
import type { ClientHello } from '../../tls/codec/messages.js';

export const maxClientHelloBytes = 16_384;
export const clientHelloTimeoutMs = 10_000;

/**
 * Reads the ClientHello of a connection without answering it, puts every byte read back, and leaves the socket
 * paused.
 * @returns undefined when there is no valid ClientHello: the connection is closed then, with an alert if it speaks
 * TLS
 */
export async function readClientHello(socket: Socket): Promise<ClientHello | undefined> {
  const reader = new ClientHelloReader(maxClientHelloBytes);
  try {
    const hello = await readPrefix(socket, (chunk) => reader.push(chunk), { timeoutMs: clientHelloTimeoutMs });
    socket.unshift(reader.buffered());
    return hello;
  } catch (error) {
    if (error instanceof TlsAlertError) refuse(socket, error.alert);
    else socket.destroy();
    if (error instanceof TlsAlertError || error instanceof NoPrefixError) return undefined;
    throw error;
  }
}

/** Sends a fatal alert (RFC 8446 6.2) and closes the connection. */
export function refuse(socket: Socket, alert: Parameters<typeof plaintextAlertRecord>[0]): void {
  socket.on('error', () => socket.destroy());
  socket.end(plaintextAlertRecord(alert), () => socket.destroySoon());
  socket.resume();
  socket.setTimeout(1_000, () => socket.destroy());
}
