import { type ClientHttp2Session, connect } from 'node:http2';
import { UnfitServiceError } from '../upstream/connect-target.js';
import { Upstream } from '../upstream/upstream.js';
import { describeTarget } from '../upstream/target.js';

/** Deadline for the service's SETTINGS, which come first (RFC 9113 3.4). */
const settingsTimeoutMs = 10_000;
/** Without requests for this long, the session is closed. */
const idleTimeoutMs = 60_000;

/** A service that speaks HTTP/2, whose requests share one session. */
export class Http2Upstream extends Upstream {
  override readonly switchesProtocols = false;
  #session: Promise<ClientHttp2Session> | undefined;
  #current: ClientHttp2Session | undefined;

  /** The session that requests can be sent on now. */
  get usable(): ClientHttp2Session | undefined {
    const session = this.#current;
    return session && !session.closed && !session.destroyed ? session : undefined;
  }

  /**
   * Opens a session unless there is one.
   * @throws as `connect`; UnfitServiceError when the service does not speak HTTP/2
   */
  async open(signal: AbortSignal): Promise<void> {
    if (this.usable) return;
    this.#session ??= this.#dial(signal).finally(() => (this.#session = undefined));
    await this.#session;
  }

  async #dial(signal: AbortSignal): Promise<ClientHttp2Session> {
    const socket = await this.dial(undefined, signal);
    const session = connect(`${this.origin.scheme}://${this.origin.host}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    // boundary: cannot throw. The session has ended, and the service may not close its end.
    socket.once('finish', () => socket.destroy());
    try {
      await settled(session);
    } catch (cause) {
      session.destroy();
      const advice = 'give it as http:// or https://';
      const error = new UnfitServiceError(`${describeTarget(this.target)} does not speak HTTP/2: ${advice}`, { cause });
      this.failed(error);
      throw error;
    }
    this.answered();
    const end = () => session.destroy();
    signal.addEventListener('abort', end, { once: true });
    // boundary: cannot throw. Requests under way may finish.
    session.setTimeout(idleTimeoutMs, () => session.close());
    // boundary: cannot throw. Requests under way may finish (RFC 9113 6.8).
    session.once('goaway', () => session.close());
    // boundary: cannot throw.
    session.once('close', () => signal.removeEventListener('abort', end));
    // The connection to the relay is what keeps the process going.
    session.unref();
    return (this.#current = session);
  }
}

/** Settles with the service's SETTINGS. */
async function settled(session: ClientHttp2Session): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no SETTINGS came')), settingsTimeoutMs);
    const settle = (result: () => void) => () => {
      clearTimeout(timer);
      result();
    };
    // A listener for errors stays: each request is told by its own stream.
    session.on('error', (error: Error) => settle(() => reject(error))());
    // boundary: cannot throw.
    session.once(
      'close',
      settle(() => reject(new Error('closed'))),
    );
    // boundary: cannot throw.
    session.once('remoteSettings', settle(resolve));
  });
}
