import type { AddressInfo, ListenOptions, Server } from 'node:net';

/**
 * Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`). Where the queue is full, the system drops what
 * arrives, whoever it is from: with Node's 511 one burst delays all others by a second or more.
 */
const backlog = 4_096;

/** Binds a server to an address. @throws the system's error when that fails */
export async function listen(server: Server, options: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ backlog, ...options }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The port of a listening server. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
