import { type Socket, connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, type SecureContext, type TLSSocket, connect } from 'node:tls';
import { type AddressRule, lookupAllowed, refusedLiteral } from './address-rule.js';
import { asNetworkError } from '../calls/errors.js';
import { connectThrough, proxyFor } from './http-proxy.js';
import { addressOptions } from './loopback.js';

export interface TlsDialOptions {
  /** PEM certificates to trust instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /** A secure context shared by many connections; replaces `ca`. */
  secureContext?: SecureContext | undefined;
  /** `http(s)://[user:password@]host[:port]`; by default from the environment; none when false. */
  proxy?: string | URL | false | undefined;
  /** Another way to the host and port than TCP, through other relays; `proxy` and `addresses` are without effect then. */
  through?: ((signal: AbortSignal) => Promise<Duplex>) | undefined;
  /** Allowed addresses; any by default. Names resolved by a proxy cannot be checked. */
  addresses?: AddressRule | undefined;
}

/** The parameters of one connection. */
export interface TlsDialDetails extends ConnectionOptions {
  allowHalfOpen?: boolean;
  /** Wraps the TCP connection for TLS, once it is connected. */
  over?: ((tcp: Socket) => Duplex) | undefined;
}

/**
 * Opens a TLS connection to the host and port of a URL, directly or through a proxy. The certificate is always
 * verified; names under `localhost` mean this machine.
 * @throws NetworkError; UsageError for a proxy that cannot be used; the signal's reason when aborted
 */
export async function dialTls(
  url: URL,
  options: TlsDialOptions,
  { over, ...details }: TlsDialDetails,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const { ca, secureContext, through } = options;
  const to = destination(url, through ? {} : options);
  const proxy = through ? undefined : proxyFor(url, options.proxy);
  let socket: Duplex | undefined;
  if (through) socket = await through(signal);
  else if (proxy) socket = await connectThrough(proxy, to.host, to.port, signal);
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

/** @throws NetworkError for an address that is not allowed */
function destination(url: URL, { addresses }: TlsDialOptions) {
  // An IPv6 literal has brackets in a URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const refused = addresses && refusedLiteral(host, addresses);
  if (refused) throw asNetworkError(refused, url.host);
  const lookup = addresses && { lookup: lookupAllowed(addresses) };
  return { ...addressOptions, ...lookup, host, port: Number(url.port) || 443 };
}

function ignore(): void {}

/** Settles with the event. The connection has an error listener from then on. */
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
      // The caller learns of it later, and data in the same chunk may already be invalid.
      socket.on('error', ignore);
      resolve(socket);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once(event, onEvent).once('error', onError).once('close', onClose);
  });
}
