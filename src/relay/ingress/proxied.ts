import type { Socket } from 'node:net';
import { type ProxyHeader, parseProxyHeader } from '../../streams/proxy-protocol.js';
import { proxyHeaderTimeoutMs } from '../constants.js';

/**
 * Takes the PROXY header, of either version, off a connection of a balancer that must send one; what follows is put back,
 * and the socket left paused.
 * @returns undefined when there is none to be had in time: the connection is then closed
 */
export async function readProxyHeader(socket: Socket): Promise<ProxyHeader | undefined> {
  let bytes: Buffer = Buffer.alloc(0);
  return await new Promise((resolve) => {
    const settle = (header: ProxyHeader | undefined) => {
      clearTimeout(deadline);
      socket.off('data', onData).off('end', fail).off('error', fail).off('close', fail);
      socket.pause();
      if (header === undefined) socket.destroy();
      else if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      resolve(header);
    };
    const fail = () => settle(undefined);
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      try {
        const header = parseProxyHeader(bytes, 'v1 or v2');
        if (header) settle(header);
      } catch {
        fail();
      }
    };
    const deadline = setTimeout(fail, proxyHeaderTimeoutMs);
    socket.on('data', onData).on('end', fail).on('error', fail).on('close', fail);
  });
}
