import type { Socket } from 'node:net';
import { ClientHelloReader } from '../../tls/client-hello-reader.js';
import { TlsAlertError, plaintextAlertRecord } from '../../tls/alerts.js';
import type { ClientHello } from '../../tls/messages.js';
import { clientHelloTimeoutMs, maxClientHelloBytes } from '../constants.js';

/**
 * Reads the ClientHello of a connection without answering it, puts every byte read back, and leaves the socket paused.
 * @returns undefined when there is none to be had: the connection is then closed, with an alert where it speaks TLS
 */
export async function readClientHello(socket: Socket): Promise<ClientHello | undefined> {
  const reader = new ClientHelloReader(maxClientHelloBytes);
  return await new Promise((resolve) => {
    const settle = (hello: ClientHello | undefined) => {
      clearTimeout(deadline);
      socket.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      socket.pause();
      if (hello) socket.unshift(reader.buffered());
      resolve(hello);
    };
    const onData = (chunk: Buffer) => {
      try {
        const hello = reader.push(chunk);
        if (hello) settle(hello);
      } catch (error) {
        settle(undefined);
        if (error instanceof TlsAlertError) refuse(socket, error.alert);
        else socket.destroy();
      }
    };
    const onEnd = () => {
      settle(undefined);
      socket.destroy();
    };
    const deadline = setTimeout(onEnd, clientHelloTimeoutMs);
    socket.on('data', onData).on('end', onEnd).on('error', onEnd).on('close', onEnd);
    // It may have been paused behind a PROXY header.
    socket.resume();
  });
}

/** Answers a handshake that goes nowhere with an alert (RFC 8446 6.2), and closes. */
export function refuse(socket: Socket, alert: Parameters<typeof plaintextAlertRecord>[0]): void {
  socket.on('error', () => socket.destroy());
  socket.end(plaintextAlertRecord(alert), () => socket.destroySoon());
  socket.resume();
  socket.setTimeout(1_000, () => socket.destroy());
}
