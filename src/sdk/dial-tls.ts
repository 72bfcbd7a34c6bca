import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls';
import { asNetworkError } from './errors.js';
import { connectThrough, proxyFor } from './http-proxy.js';
import { addressOptions } from './loopback.js';

export interface TlsDialOptions {
  /** PEM certificates that are trusted instead of the well-known ones. */
  ca?: string | Buffer;
  /** `http(s)://[user:password@]host[:port]`; the environment's by default, none when false. */
  proxy?: string | URL | false;
}

/**
 * A TLS connection to the host and port of a URL, directly or through a proxy. The certificate is always verified; names under
 * `localhost` are this machine.
 * @throws NetworkError; UsageError for a proxy that cannot be used; the signal's reason when aborted
 */
export async function dialTls(
  url: URL,
  { ca, proxy: chosenProxy }: TlsDialOptions,
  details: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const port = Number(url.port) || 443;
  // An IPv6 literal stands in brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const proxy = proxyFor(url, chosenProxy);
  const socket = connect({
    ...(ca === undefined ? {} : { ca }),
    ...addressOptions,
    ...(proxy === undefined ? {} : { socket: await connectThrough(proxy, host, port, signal) }),
    host,
    port,
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    ...details,
  } as ConnectionOptions);
  return await new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on('error', () => undefined).destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(asNetworkError(error, url.host));
    const onClose = () => fail(asNetworkError(new Error('closed during the handshake'), url.host));
    const onSecure = () => {
      settle();
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
  });
}
