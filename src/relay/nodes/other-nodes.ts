import { EventEmitter, once } from 'node:events';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import { repeat } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { OtherNodesRoutes, PassedConnection, PassedVisitor } from '../ingress/visitor-forwarder.js';
import type { SharedStore } from '../store/store.js';
import type { NodeIdentity } from './node-identity.js';
import { NodeLink } from './node-link.js';
import { encodeNodeVisitor, nodeAnswer, visitorProtocol } from '../../protocol/node-visitor.js';

const checkIntervalMs = 500;
/** Visitors of one name that are being passed on, and have no answer yet: each costs a handshake. The others wait. */
const maxAskedPerName = 64;
/** Before nodes that have tunnels, but had no session, are asked again. */
const retryDelayMs = 200;
/** Until the other side has proven its key. */
const connectTimeoutMs = 1_500;
/** Until it says whether it has a session, for which it waits for a second at most. */
const answerTimeoutMs = 3_000;

export interface OtherNodesOptions {
  shared: Pick<SharedStore, 'nodes'>;
  identity: NodeIdentity;
  /** The nodes that have tunnels of a name have changed. */
  onPresence(name: string): void;
}

/** The other nodes of this relay: which names they have tunnels for, and the way there. */
export class OtherNodes implements OtherNodesRoutes {
  /** By address: a node that starts again is the same one. */
  readonly #links = new Map<string, NodeLink>();
  readonly #changes = new EventEmitter();
  readonly #asked = new ConcurrencyLimiter(maxAskedPerName);
  #check: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(private readonly options: OtherNodesOptions) {
    // One listener for each visitor that waits; their number is bounded elsewhere.
    this.#changes.setMaxListeners(0);
  }

  start(): void {
    this.#look();
    this.#check = repeat('node presence', () => this.#look(), checkIntervalMs);
  }

  stop(): void {
    clearInterval(this.#check);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  /** How many there are that can be asked. */
  get connected(): number {
    return [...this.#links.values()].filter(({ isUp }) => isUp).length;
  }

  /** How many of them have tunnels for the name. */
  count(name: string): number {
    let count = 0;
    for (const link of this.#links.values()) if (link.has(name)) count++;
    return count;
  }

  async join(visitor: PassedVisitor, signal: AbortSignal, isPatient: boolean): Promise<PassedConnection | undefined> {
    while (!signal.aborted) {
      const wait = new AbortController();
      const changed = once(this.#changes, `presence ${visitor.hostname}`, { signal: wait.signal });
      changed.catch(() => undefined);
      try {
        const links = this.#having(visitor.hostname);
        for (const link of links) {
          const joined = await this.#inTurn(link, visitor, signal);
          if (joined || signal.aborted) return joined;
        }
        if (!isPatient) return undefined;
        const ending = AbortSignal.any([signal, ...(links.length > 0 ? [AbortSignal.timeout(retryDelayMs)] : [])]);
        ending.addEventListener('abort', () => wait.abort(), { once: true });
        if (ending.aborted) wait.abort();
        await changed.catch(() => undefined);
      } finally {
        wait.abort();
      }
    }
    return undefined;
  }

  /** In turn, so that visitors are spread over them; without those that were silent a moment ago. */
  #having(name: string): NodeLink[] {
    const links = [...this.#links.values()].filter((link) => link.has(name) && link.answers);
    const first = links.length === 0 ? 0 : this.#turn++ % links.length;
    return [...links.slice(first), ...links.slice(0, first)];
  }

  async #inTurn(link: NodeLink, visitor: PassedVisitor, signal: AbortSignal): Promise<PassedConnection | undefined> {
    if (!this.#asked.add(visitor.hostname)) return undefined;
    try {
      return await this.#try(link, visitor, signal);
    } finally {
      this.#asked.remove(visitor.hostname);
    }
  }

  async #try(link: NodeLink, visitor: PassedVisitor, signal: AbortSignal): Promise<PassedConnection | undefined> {
    const late = () => {
      link.wasSilent();
      socket.destroy();
    };
    const { socket, reset } = link.dial(visitorProtocol, () => {
      clearTimeout(deadline);
      deadline = setTimeout(late, answerTimeoutMs);
      socket.write(encodeNodeVisitor(visitor));
      if (visitor.early.length > 0) socket.write(visitor.early);
    });
    socket.on('error', () => undefined);
    let deadline = setTimeout(late, connectTimeoutMs);
    try {
      const answer = await readPrefix(socket, (chunk) => chunk, { signal });
      if (answer[0] !== nodeAnswer.joined) return void socket.destroy();
      if (answer.length > 1) socket.unshift(answer.subarray(1));
      return { stream: socket, reset };
    } catch (error) {
      socket.destroy();
      if (error instanceof NoPrefixError || signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Connects to nodes that have come, and forgets those that are gone. */
  #look(): void {
    const nodes = this.options.shared.nodes();
    const known = new Set(nodes.map(({ address }) => address));
    for (const [address, link] of this.#links) {
      if (known.has(address)) continue;
      link.close();
      this.#links.delete(address);
    }
    for (const node of nodes) {
      if (this.#links.has(node.address)) continue;
      const onPresence = (name: string) => {
        this.#changes.emit(`presence ${name}`);
        this.options.onPresence(name);
      };
      this.#links.set(node.address, new NodeLink({ node, identity: this.options.identity, onPresence }));
    }
  }
}
