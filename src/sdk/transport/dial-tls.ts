import { type Socket, connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, type SecureContext, type TLSSocket, connect } from 'node:tls';
import { type AddressRule, lookupAllowed, refusedLiteral } from './address-rule.js';
import { asNetworkError } from '../calls/errors.js';
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

/** What is known of one connection. */
export interface TlsDialDetails extends ConnectionOptions {
  allowHalfOpen?: boolean;
  /** What TLS runs over, made of the TCP connection once that stands, instead of the connection itself. */
  over?: ((tcp: Socket) => Duplex) | undefined;
}

/**
 * A TLS connection to the host and port of a URL, directly or through a proxy. The certificate is always verified; names under
 * `localhost` are this machine.
 * @throws NetworkError; UsageError for a proxy that cannot be used; the signal's reason when aborted
 */
export async function dialTls(
  url: URL,
  options: TlsDialOptions,
  { over, ...details }: TlsDialDetails,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const { ca, secureContext } = options;
  const to = destination(url, options);
  const proxy = proxyFor(url, options.proxy);
  let socket: Duplex | undefined;
  if (proxy) socket = await connectThrough(proxy, to.host, to.port, signal);
  else if (over) socket = await established(connectTcp({ ...to, allowHalfOpen: true }), 'connect', url.host, signal);
  if (over) socket = over(socket as Socket);
  const tls = connect({
    ...(ca === undefined ? {} : { ca }),
    ...(secureContext && { secureContext }),
    ...to,
    ...(socket && { socket }),
    servername: /^[\d.]+$|:/.test(to.host) ? '' : to.host,
    ...details,
  } as ConnectionOptions);
  return await established(tls, 'secureConnect', url.host, signal);
}

/** @throws NetworkError for an address that may not be connected to */
function destination(url: URL, { addresses }: TlsDialOptions) {
  // An IPv6 literal stands in brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const refused = addresses && refusedLiteral(host, addresses);
  if (refused) throw asNetworkError(refused, url.host);
  const lookup = addresses && { lookup: lookupAllowed(addresses) };
  return { ...addressOptions, ...lookup, host, port: Number(url.port) || 443 };
}

function ignore(): void {}

/** Settles with the event. The connection has a listener for its errors from then on, so that none is unheard. */
async function established<Connection extends Socket>(
  socket: Connection,
  event: 'connect' | 'secureConnect',
  host: string,
  signal: AbortSignal,
): Promise<Connection> {
  return await new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onEvent).off('error', onError).off('close', onClose);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on('error', ignore).destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(asNetworkError(error, host));
    const onClose = () =>
      fail(
        asNetworkError(
          new Error(`closed before ${event === 'connect' ? 'it was established' : 'the handshake completed'}`),
          host,
        ),
      );
    const onEvent = () => {
      settle();
      // The caller hears of it a moment later, and what came in the same piece may be wrong already.
      socket.on('error', ignore);
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once(event, onEvent).once('error', onError).once('close', onClose);
  });
}
