import type { Duplex } from 'node:stream';
import type { QuicServer, QuicSession } from './quic-package.js';

// The library tells of an error by an event, of streams and connections too that it has told nobody of yet, or never will. Where nobody
// listens, that ends the process, and a peer brings it about by breaking off a stream. So there is a listener from their first moment on.

interface SessionInside {
  /** Makes each stream that the peer has opened. */
  _getOrCreateStream?: (id: number) => Duplex;
}

interface ServerInside {
  /** Makes each connection, its handshake still to come. */
  _onNewSession?: (event: { connHandle: number }) => void;
  _sessions?: Map<number, QuicSession>;
}

/** @throws Error when this release of the library looks otherwise inside */
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

/** @throws Error when this release of the library looks otherwise inside */
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
