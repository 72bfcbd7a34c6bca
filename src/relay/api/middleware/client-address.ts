import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { AddressList } from '../../../net/address-list.js';
import { normalizeIp, parseIp } from '../../../net/ip-address.js';

/** Whose address counts for a call to the API: of its connection, or what trusted proxies in front say. */
export class ClientAddresses {
  /** Of connections that a balancer passed on: the address that its PROXY header gave. */
  readonly #passedOn = new WeakMap<Duplex, string>();

  constructor(private readonly isTrustedProxy: AddressList) {}

  /** Whether the operator trusts this address to pass on others' requests. */
  isProxy(address: string): boolean {
    return this.isTrustedProxy(address);
  }

  /** Says who is behind a connection whose other end only passes it on. */
  note(socket: Duplex, address: string): void {
    this.#passedOn.set(socket, address);
  }

  /**
   * The last address in X-Forwarded-For that no trusted proxy has, if the connection comes from such a proxy. Each proxy
   * appends who called it, so that everything further left is only what that caller claims.
   * @param forwardedFor the header's values, joined by commas
   */
  of(socket: Socket, forwardedFor: string | undefined): string {
    let address = this.#passedOn.get(socket) ?? normalizeIp(socket.remoteAddress);
    const hops = forwardedFor?.split(',') ?? [];
    while (hops.length > 0 && this.isTrustedProxy(address)) {
      const hop = readHop(hops.pop() as string);
      if (hop === undefined) break;
      address = hop;
    }
    return address;
  }
}

/** An address, which some proxies write with its port. */
function readHop(text: string): string | undefined {
  const [, bracketed, withPort] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text.trim()) ?? [];
  return parseIp(bracketed ?? withPort ?? text.trim());
}
