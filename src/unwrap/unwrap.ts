import type { TLSSocket } from 'node:tls';
import { NoPrefixError, readPrefix } from '../net/read-prefix.js';
import { cipherSuites } from '../tls/codec/constants.js';
import type { DetachableSocket } from './detachable-socket.js';
import { type SealedFirst, UnwrappedSession, sealedFirstBytes } from './unwrapped-session.js';

/** Label of the exporter that both sides' traffic secrets come from (RFC 8446 7.5). */
const exporterLabel = 'EXPORTER-portal-unwrap';
const secretBytes = 32;
/** TLS_AES_128_GCM_SHA256 */
const suite = cipherSuites.get(0x1301)!;
/** What each side writes first, to show that it has the keys. */
const greeting = Buffer.from([0x00]);

/** Of its own, for what a listener is made in lives as long as the session, and that would be all of TLS. */
const ignore = (): void => undefined;

export type UnwrapRole = 'relay' | 'tunnel';

/** The visitor's handshake is sealed on its way to the tunnel, where what it says of the visitor is believed. */
const sealedFirst: Record<UnwrapRole, SealedFirst> = {
  relay: { send: sealedFirstBytes, receive: 0 },
  tunnel: { send: 0, receive: sealedFirstBytes },
};

/**
 * Takes TLS off a connection whose two sides have agreed on it, and have nothing on the way inside TLS any more. Each then shows
 * that it has the same secrets, the tunnel first: who stood between them as two ends of TLS has not.
 * @returns the session, the other side's greeting read. It may break at any time, of which its `error` is heard here already
 * @throws Error when the other side does not greet, or the signal's reason; the connection is destroyed then
 */
export async function unwrap(
  tls: TLSSocket,
  transport: DetachableSocket,
  role: UnwrapRole,
  signal: AbortSignal,
): Promise<UnwrappedSession> {
  const secrets = tls.exportKeyingMaterial(2 * secretBytes, exporterLabel, Buffer.alloc(0));
  const [ofTunnel, ofRelay] = [secrets.subarray(0, secretBytes), secrets.subarray(secretBytes)];
  const [send, receive] = role === 'tunnel' ? [ofTunnel, ofRelay] : [ofRelay, ofTunnel];
  const socket = transport.detach();
  tls.destroy();
  const session = new UnwrappedSession(socket, { suite, send, receive }, sealedFirst[role]);
  session.on('error', ignore);
  if (role === 'tunnel') session.write(greeting);
  await greeted(session, signal);
  // By what came right behind the greeting. Whoever listens from here on would not hear of it any more.
  if (session.destroyed) throw new Error('the connection broke behind the greeting');
  if (role === 'relay') session.write(greeting);
  return session;
}

/** Waits for the first byte. */
async function greeted(session: UnwrappedSession, signal: AbortSignal): Promise<void> {
  try {
    const word = await readPrefix(session, (bytes) => bytes, { signal });
    if (!word.equals(greeting)) throw new Error('another word than a greeting');
  } catch (error) {
    session.destroy();
    if (error instanceof NoPrefixError)
      throw (error.cause as Error | undefined) ?? new Error('the connection closed when TLS was taken off it');
    throw error;
  }
}
