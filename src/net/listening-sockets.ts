import { createServer, type ListenOptions, type Server } from 'node:net';
import { listen } from './listen.js';

/** Anything with an underlying `_handle`, as `net.Server.listen` takes it, or a file descriptor. */
export type SocketHandle = { readonly _handle: object } | { readonly fd: number };

/** A TCP socket that listens already, and was handed to this process. */
export interface InheritedSocket {
  readonly handle: SocketHandle;
  /** What it was bound for; without a host, any. */
  readonly host?: string | undefined;
  readonly port: number;
}

/** A listening socket that can be handed to another process. */
export interface HeldSocket {
  readonly host: string;
  readonly port: number;
  readonly handle: object;
}

interface Listening {
  readonly server: Server;
  readonly host: string;
  readonly port: number;
  readonly forget: () => void;
}

/**
 * The listening TCP sockets of a process: bound by itself, or inherited from the process before it, whose clients wait in the
 * accept queue meanwhile.
 */
export class ListeningSockets {
  readonly #inherited: InheritedSocket[];
  readonly #listening = new Set<Listening>();

  constructor(inherited: readonly InheritedSocket[] = []) {
    this.#inherited = [...inherited];
  }

  /** Takes the socket that is inherited for this address, or binds one. @throws the system's error when that fails */
  async listen(server: Server, { host = '', port = 0, ...options }: ListenOptions): Promise<void> {
    const at = this.#inherited.findIndex((each) => each.port === port && (each.host ?? host) === host);
    const [inherited] = at === -1 ? [] : this.#inherited.splice(at, 1);
    await listen(server, inherited ? (inherited.handle as ListenOptions) : { host, port, ...options });
    const listening = { server, host, port, forget: () => this.#listening.delete(listening) };
    this.#listening.add(listening);
    server.once('close', listening.forget);
  }

  /**
   * Has something else accept the connections of a server, which listens no longer itself.
   * @param take receives the file descriptor of the listening socket, to make its own of it
   * @returns false where Node's servers are not what they were
   */
  lend(server: Server, take: (fd: number) => void): boolean {
    const listening = this.#of(server);
    const fd = (server as { _handle?: { fd?: number } | null })._handle?.fd;
    if (!listening || fd === undefined || fd < 0) return false;
    take(fd);
    server.off('close', listening.forget);
    server.close();
    return true;
  }

  /** The server accepts again. @param fd its listening socket, which is the server's from here on */
  async takeBack(server: Server, fd: number): Promise<void> {
    const listening = this.#of(server);
    await listen(server, { fd } as ListenOptions);
    if (listening) server.once('close', listening.forget);
  }

  #of(server: Server): Listening | undefined {
    return [...this.#listening].find((each) => each.server === server);
  }

  /** Those that listen now. Empty where Node's servers are not what they were. */
  get held(): HeldSocket[] {
    return [...this.#listening].flatMap(({ server, host, port }) => {
      const { _handle: handle } = server as { _handle?: object | null };
      return server.listening && handle ? [{ host, port, handle }] : [];
    });
  }

  /** Closes what was inherited and is not needed, so that nobody waits there for an answer. Never rejects. */
  async closeUnused(): Promise<void> {
    for (const { handle } of this.#inherited.splice(0)) {
      // A server that never listened closes as well.
      const server = createServer((socket) => socket.destroy());
      await listen(server, handle as ListenOptions).catch(() => undefined);
      server.close();
    }
  }
}
