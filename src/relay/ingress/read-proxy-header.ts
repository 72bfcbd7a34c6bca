import type { Socket } from 'node:net';
import { type ProxyHeader, ProxyProtocolError, parseProxyHeader } from '../../protocol/proxy-protocol.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';

/** A balancer says whom it passes on before anything else. */
const proxyHeaderTimeoutMs = 5_000;

/**
 * Takes the PROXY header, of either version, off a connection of a balancer that must send one; what follows is put back,
 * and the socket left paused.
 * @returns undefined when there is none to be had in time: the connection is then closed
 */
export async function readProxyHeader(socket: Socket): Promise<ProxyHeader | undefined> {
  let bytes: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    return parseProxyHeader(bytes, 'v1 or v2');
  };
  try {
    const header = await readPrefix(socket, take, { timeoutMs: proxyHeaderTimeoutMs });
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    return header;
  } catch (error) {
    socket.destroy();
    if (error instanceof NoPrefixError || error instanceof ProxyProtocolError) return undefined;
    throw error;
  }
}
