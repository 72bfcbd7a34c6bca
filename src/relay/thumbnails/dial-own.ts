import { type AddressInfo, type Socket, connect } from 'node:net';
import { proxyHeader } from '../../protocol/proxy-protocol.js';
import type { AddressList } from '../../net/address-list.js';

/**
 * Connects to a listener of this process, by its address, like a client on this machine, with a PROXY header if loopback is configured
 * as a balancer.
 */
export function dialOwn({ address, port }: Pick<AddressInfo, 'address' | 'port'>, isBalancer: AddressList): Socket {
  const host = address === '::' || address === '0.0.0.0' ? '127.0.0.1' : address;
  const socket = connect({ host, port });
  if (isBalancer(host))
    socket.write(proxyHeader({ source: { address: host, port }, destination: { address: host, port } }));
  return socket;
}
