import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import { UnfitServiceError } from '../upstream/connect-target.js';
import { Upstream } from '../upstream/upstream.js';
import { describeTarget } from '../upstream/target.js';

/** Deadline for the service's SETTINGS, which come first (RFC 9113 3.4). */
const settingsTimeoutMs = 10_000;
/** Without requests for this long, the session is closed. */
const idleTimeoutMs = 60_000;
/** The same, when the tunnel is closing. */
const leavingTimeoutMs = 1_000;
/** Past it, requests wait in the sessions for those before them. */
const maxSessions = 16;

/** A service that speaks HTTP/2. Requests share a session, up to the number of streams that the service allows. */
export class Http2Upstream extends Upstream {
  /** Sessions, each with its number of open streams. */
  readonly #sessions = new Map<ClientHttp2Session, number>();
  #dialing: Promise<void> | undefined;
  #isLeaving = false;

  /** @see Upstream */
  override follow(signal: AbortSignal): void {
    const close = () => {
      this.#isLeaving = true;
      // Requests under way may finish.
      for (const session of this.#sessions.keys()) session.close();
    };
    // boundary: cannot throw.
    signal.addEventListener('abort', close, { once: true });
  }

  /**
   * Opens a session unless there is one.
   * @throws as `connect`; UnfitServiceError when the service does not speak HTTP/2
   */
  async open(): Promise<void> {
    if (!this.#leastBusy()) await this.#openAnother();
  }

  /**
   * Opens a stream, in another session when the service allows no more in those there are.
   * @throws as `open`; Error when the fields cannot be sent by HTTP/2
   */
  async request(headers: OutgoingHttpHeaders, options: { endStream: boolean }): Promise<ClientHttp2Stream> {
    let session = this.#leastBusy();
    // Others may have taken the room of a new session.
    while (!session || (!this.#hasRoom(session) && this.#sessions.size < maxSessions)) {
      await this.#openAnother();
      session = this.#leastBusy();
    }
    const used = session;
    const stream = used.request(headers, options);
    this.#count(used, 1);
    // boundary: cannot throw.
    stream.once('close', () => this.#count(used, -1));
    return stream;
  }

  /**
   * Whether the service takes WebSockets (RFC 8441 3).
   * @throws as `open`
   */
  async takesExtendedConnect(): Promise<boolean> {
    await this.open();
    return this.#leastBusy()?.remoteSettings.enableConnectProtocol === true;
  }

  async #openAnother(): Promise<void> {
    this.#dialing ??= this.#dial().finally(() => (this.#dialing = undefined));
    await this.#dialing;
  }

  #hasRoom(session: ClientHttp2Session): boolean {
    return (this.#sessions.get(session) ?? 0) < (session.remoteSettings.maxConcurrentStreams ?? Infinity);
  }

  #count(session: ClientHttp2Session, change: number): void {
    const streams = this.#sessions.get(session);
    if (streams !== undefined) this.#sessions.set(session, streams + change);
  }

  #leastBusy(): ClientHttp2Session | undefined {
    let best: ClientHttp2Session | undefined;
    let fewest = Infinity;
    for (const [session, streams] of this.#sessions) {
      if (session.closed || session.destroyed) this.#sessions.delete(session);
      else if (streams < fewest) [best, fewest] = [session, streams];
    }
    return best;
  }

  async #dial(): Promise<void> {
    // Nobody's signal: what is opened is for all.
    const socket = await this.dial(undefined, new AbortController().signal);
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
    // boundary: cannot throw. Requests under way may finish.
    session.setTimeout(this.#isLeaving ? leavingTimeoutMs : idleTimeoutMs, () => session.close());
    // boundary: cannot throw. Requests under way may finish (RFC 9113 6.8).
    session.once('goaway', () => session.close());
    // boundary: cannot throw.
    session.once('close', () => this.#sessions.delete(session));
    // The connection to the relay is what keeps the process going.
    session.unref();
    this.#sessions.set(session, 0);
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
