import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import proxyaddr from 'proxy-addr';
import type { AddressList } from '../../../net/address-list.js';
import { normalizeIp, parseIp } from '../../../net/ip-address.js';

/** The client address of an API call: the connection's own, or the one that trusted proxies report. */
export class ClientAddresses {
  /** The address in the PROXY header of a connection from a balancer. */
  readonly #passedOn = new WeakMap<Duplex, string>();

  constructor(private readonly isTrustedProxy: AddressList) {}

  /** Whether the operator trusts this address as a proxy. */
  isProxy(address: string): boolean {
    return this.isTrustedProxy(address);
  }

  /** Records the client address behind a balancer's connection. */
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
    // An entry that is not an address is skipped: the last valid one counts.
    return hops.findLast((address) => address !== undefined) ?? remoteAddress;
  }
}

/** An address, optionally with a port, as some proxies write it. */
function readHop(text: string): string | undefined {
  const [, bracketed, withPort] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text.trim()) ?? [];
  return parseIp(bracketed ?? withPort ?? text.trim());
}
