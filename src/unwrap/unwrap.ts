import type { TLSSocket } from 'node:tls';
import { NoPrefixError, readPrefix } from '../net/read-prefix.js';
import type { DetachableSocket } from './detachable-socket.js';
import { freshKeys, sealedFirstBytes } from './session-records.js';
import { type SealedFirst, UnwrappedSession } from './unwrapped-session.js';

/** Label of the exporter for the traffic secrets of both sides (RFC 8446 7.5). */
const exporterLabel = 'EXPORTER-portal-unwrap';
const secretBytes = 32;
/** The first message of each side, as proof that it has the keys. */
const greeting = Buffer.from([0x00]);

/**
 * A separate function: a listener keeps its closure alive as long as the session, and here that would be all of TLS.
 */
const ignore = (): void => undefined;

export type UnwrapRole = 'relay' | 'tunnel';

/** The visitor's handshake is encrypted on its way to the tunnel, which trusts what it says about the visitor. */
export const sealedFirst: Record<UnwrapRole, SealedFirst> = {
  relay: { send: sealedFirstBytes, receive: 0 },
  tunnel: { send: 0, receive: sealedFirstBytes },
};

/**
 * Removes TLS from a connection after both sides have agreed to it and no TLS data is in flight. Each side then proves
 * that it has the same secrets, the tunnel first: a middlebox that terminates TLS does not have them.
 * @returns the session, after the other side's greeting. Its `error` event already has a listener
 * @throws Error when the other side does not send its greeting, or the signal's reason; the connection is destroyed
 * then
 */
export async function unwrap(
  tls: TLSSocket,
  transport: DetachableSocket,
  role: UnwrapRole,
  signal: AbortSignal,
): Promise<UnwrappedSession> {
  const secrets = tls.exportKeyingMaterial(2 * secretBytes, exporterLabel, Buffer.alloc(0));
  const [ofTunnel, ofRelay] = [secrets.subarray(0, secretBytes), secrets.subarray(secretBytes)];
  const keys = role === 'tunnel' ? freshKeys(ofTunnel, ofRelay) : freshKeys(ofRelay, ofTunnel);
  const socket = transport.detach();
  tls.destroy();
  const session = new UnwrappedSession(socket, keys, sealedFirst[role]);
  session.on('error', ignore);
  if (role === 'tunnel') session.write(greeting);
  await greeted(session, signal);
  // The bytes right after the greeting may have broken the session. A later listener would miss that error.
  if (session.destroyed) throw new Error('the connection broke behind the greeting');
  // Its owner may want to give it away, which is possible once nothing is under way.
  if (role === 'relay') await new Promise((resolve) => session.write(greeting, resolve));
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
