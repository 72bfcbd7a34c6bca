import type { Duplex } from 'node:stream';
import type { QuicServer, QuicSession } from './quic-package.js';

// The library emits `error` events, also on streams and connections that it has not announced yet or never will. An
// unhandled one ends the process, and a peer can cause it by resetting a stream. So each gets an error listener when
// it is created.

interface SessionInside {
  /** Creates each stream opened by the peer. */
  _getOrCreateStream?: (id: number) => Duplex;
}

interface ServerInside {
  /** Creates each connection, before its handshake. */
  _onNewSession?: (event: { connHandle: number }) => void;
  _sessions?: Map<number, QuicSession>;
}

/** @throws Error when the library's internals are different in this release */
export function guardSessionErrors<Session extends QuicSession>(session: Session): Session {
  const inside = session as SessionInside;
  const make = inside._getOrCreateStream;
  if (typeof make !== 'function') throw unknownRelease();
  session.on('error', ignore);
  inside._getOrCreateStream = function (id) {
    const stream = make.call(this, id);
    if (stream.listenerCount('error') === 0) stream.on('error', ignore);
    return stream;
  };
  return session;
}

/** @throws Error when the library's internals are different in this release */
export function guardServerErrors(server: QuicServer): QuicServer {
  const inside = server as ServerInside;
  const { _onNewSession: make, _sessions: sessions } = inside;
  if (typeof make !== 'function' || !(sessions instanceof Map)) throw unknownRelease();
  inside._onNewSession = function (event) {
    make.call(this, event);
    const session = sessions.get(event.connHandle);
    if (session) guardSessionErrors(session);
  };
  return server;
}

const ignore = () => undefined;
const unknownRelease = () => new Error('this release of @currentspace/http3 is not known here');
