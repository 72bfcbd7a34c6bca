import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import proxyaddr from 'proxy-addr';
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
    const remoteAddress = this.#passedOn.get(socket) ?? normalizeIp(socket.remoteAddress);
    if (forwardedFor === undefined || !this.isTrustedProxy(remoteAddress)) return remoteAddress;
    const request = { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwardedFor } };
    const isTrusted = (hop: string) => {
      const address = readHop(hop);
      return address !== undefined && this.isTrustedProxy(address);
    };
    const hops = proxyaddr.all(request as unknown as IncomingMessage, isTrusted).map(readHop);
    // What is no address was claimed by the last proxy before it.
    return hops.findLast((address) => address !== undefined) ?? remoteAddress;
  }
}

/** An address, which some proxies write with its port. */
function readHop(text: string): string | undefined {
  const [, bracketed, withPort] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text.trim()) ?? [];
  return parseIp(bracketed ?? withPort ?? text.trim());
}
