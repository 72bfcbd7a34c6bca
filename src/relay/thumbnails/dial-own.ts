import { type AddressInfo, type Server, type Socket, connect } from 'node:net';
import { proxyHeader } from '../../protocol/proxy-protocol.js';
import type { AddressList } from '../../net/address-list.js';

/**
 * A connection to a listener of this process, as if a visitor came from this machine: with a PROXY header where that address
 * is a balancer's, which must send one.
 */
export function dialOwn(server: Server, isBalancer: AddressList): Socket {
  const { address, port } = server.address() as AddressInfo;
  const host = address === '::' || address === '0.0.0.0' ? '127.0.0.1' : address;
  const socket = connect({ host, port });
  if (isBalancer(host))
    socket.write(proxyHeader({ source: { address: host, port }, destination: { address: host, port } }));
  return socket;
}
