import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { guard } from '../../util/boundary.js';
import type { NodeRecord } from '../store/store.js';
import type { NodeIdentity } from './node-identity.js';
import { presenceProtocol } from '../../protocol/node-visitor.js';

/** A node that says nothing for so long is not asked: it says something every two seconds. */
const silenceMs = 6_000;
/** How long visitors do not wait for a node that was silent. */
const silencePauseMs = 5_000;
const firstRetryMs = 250;
const longestRetryMs = 4_000;
/** Of a name and its sign. A longer line ends the connection. */
const maxLineBytes = 300;
const maxNames = 200_000;

export interface NodeLinkOptions {
  node: NodeRecord;
  identity: NodeIdentity;
  onPresence(name: string): void;
}

/** A connection to another node that says for which names it has tunnels. It is made anew whenever it breaks. */
export class NodeLink {
  readonly #names = new Set<string>();
  #socket: TLSSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = firstRetryMs;
  #isUp = false;
  #isClosed = false;
  #silentUntil = 0;
  /** Of an earlier connection to this node, which has proven its key (RFC 8446 2.2). */
  #session: Buffer | undefined;

  constructor(private readonly options: NodeLinkOptions) {
    this.#connect();
  }

  get node(): NodeRecord {
    return this.options.node;
  }

  /** Whether it has proven who it is. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** It did not answer in time: other visitors are not to wait for it. */
  wasSilent(): void {
    this.#silentUntil = performance.now() + silencePauseMs;
  }

  /** Whether it has answered lately, as far as is known. */
  get answers(): boolean {
    return performance.now() > this.#silentUntil;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /**
   * Connects to the node for one purpose.
   * @param onKnown called once it has proven who it is; until then nothing it says counts
   */
  dial(protocol: string, onKnown: (socket: TLSSocket) => void): { socket: TLSSocket; reset(): void } {
    const { identity, node } = this.options;
    const { host, port } = hostAndPort(node.address);
    const raw = connectTcp({ host, port, allowHalfOpen: true, noDelay: true });
    raw.on('error', () => undefined);
    const socket = connect({
      socket: raw,
      secureContext: identity.context,
      ALPNProtocols: [protocol],
      // Its key is what counts: no name, no date.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      session: this.#session,
    });
    const known = () => {
      // Who resumes a session knows what came of a handshake with that key.
      const isKnown = socket.isSessionReused() || identity.isOwn(socket);
      if (!isKnown || socket.alpnProtocol !== protocol) return void socket.destroy();
      // boundary: cannot throw.
      socket.on('session', (session: Buffer) => (this.#session = session));
      onKnown(socket);
    };
    socket.once(
      'secureConnect',
      guard('node connection', known, () => socket.destroy()),
    );
    const reset = () => {
      raw.resetAndDestroy();
      socket.destroy();
    };
    return { socket, reset };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #connect(): void {
    const { socket } = this.dial(presenceProtocol, () => {
      this.#isUp = true;
      this.#retryMs = firstRetryMs;
    });
    this.#socket = socket;
    let text = '';
    const read = (chunk: Buffer) => {
      if (!this.#isUp) return void socket.destroy();
      const lines = (text + chunk.toString('latin1')).split('\n');
      text = lines.pop()!;
      for (const line of lines) this.#hear(line);
      if (text.length > maxLineBytes || this.#names.size > maxNames) socket.destroy();
    };
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on(
      'data',
      guard('node presence', read, () => socket.destroy()),
    );
    socket.on('error', () => undefined);
    socket.once('end', () => socket.destroy());
    // boundary: cannot throw.
    socket.once('close', () => this.#lost());
  }

  #hear(line: string): void {
    const name = line.slice(1);
    if (line[0] === '+') this.#names.add(name);
    else if (line[0] === '-') this.#names.delete(name);
    else return;
    this.options.onPresence(name);
  }

  #lost(): void {
    // A session that is refused is not tried again.
    if (!this.#isUp) this.#session = undefined;
    this.#isUp = false;
    const names = [...this.#names];
    this.#names.clear();
    for (const name of names) this.options.onPresence(name);
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs);
  }
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
