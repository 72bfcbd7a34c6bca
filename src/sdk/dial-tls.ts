import { type ConnectionOptions, type SecureContext, type TLSSocket, connect } from 'node:tls';
import { type AddressRule, lookupAllowed, refusedLiteral } from './address-rule.js';
import { asNetworkError } from './errors.js';
import { connectThrough, proxyFor } from './http-proxy.js';
import { addressOptions } from './loopback.js';

export interface TlsDialOptions {
  /** PEM certificates that are trusted instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /** Made once for many connections, with certificates to trust; instead of `ca`. */
  secureContext?: SecureContext | undefined;
  /** `http(s)://[user:password@]host[:port]`; the environment's by default, none when false. */
  proxy?: string | URL | false | undefined;
  /** Where connections may go; anywhere by default. Of a name that a proxy resolves, only the proxy knows the address. */
  addresses?: AddressRule | undefined;
}

/**
 * A TLS connection to the host and port of a URL, directly or through a proxy. The certificate is always verified; names under
 * `localhost` are this machine.
 * @throws NetworkError; UsageError for a proxy that cannot be used; the signal's reason when aborted
 */
export async function dialTls(
  url: URL,
  { ca, secureContext, proxy: chosenProxy, addresses }: TlsDialOptions,
  details: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const port = Number(url.port) || 443;
  // An IPv6 literal stands in brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const refused = addresses && refusedLiteral(host, addresses);
  if (refused) throw asNetworkError(refused, url.host);
  const proxy = proxyFor(url, chosenProxy);
  const socket = connect({
    ...(ca === undefined ? {} : { ca }),
    ...(secureContext && { secureContext }),
    ...addressOptions,
    ...(addresses && { lookup: lookupAllowed(addresses) }),
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
