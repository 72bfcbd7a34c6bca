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
    const listening = { server, host, port };
    this.#listening.add(listening);
    server.once('close', () => this.#listening.delete(listening));
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
