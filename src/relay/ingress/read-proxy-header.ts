import type { Socket } from 'node:net';
import { type ProxyHeader, ProxyProtocolError, parseProxyHeader } from '../../protocol/proxy-protocol.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';

/** Deadline for a balancer's PROXY header. */
export const proxyHeaderTimeoutMs = 5_000;

/**
 * Reads the PROXY header (version 1 or 2) of a balancer's connection; the bytes after it are put back and the socket
 * is left paused.
 * @returns undefined when there is no valid header in time: the connection is closed then
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
