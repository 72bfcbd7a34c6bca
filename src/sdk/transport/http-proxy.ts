import { request } from 'node:http';
import { type Socket, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { getProxyForUrl } from 'proxy-from-env';
import { NetworkError, UsageError, asNetworkError } from '../calls/errors.js';
import { addressOptions } from './loopback.js';

const maxProxyHeadBytes = 16_384;

/**
 * The proxy for a relay: the caller's choice, else from the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`,
 * upper or lower case), but never for this machine.
 * @param chosen false for none, ignoring the environment
 * @throws UsageError when it is not an `http://` or `https://` URL
 */
export function proxyFor(target: URL, chosen?: string | URL | false): URL | undefined {
  if (chosen === false) return undefined;
  const named = chosen?.toString() ?? (isThisMachine(target.hostname) ? '' : getProxyForUrl(target.href));
  if (named === '') return undefined;
  const proxy = URL.canParse(named) ? new URL(named) : undefined;
  if (proxy?.protocol !== 'http:' && proxy?.protocol !== 'https:') {
    // The URL may contain a password, so it is not shown.
    throw new UsageError('the proxy must be an http:// or https:// URL (HTTPS_PROXY); no other kind is spoken');
  }
  return proxy;
}

/**
 * Opens a TCP connection to `host:port` through an HTTP proxy (CONNECT, RFC 9110 9.3.6), with half-close.
 * @throws NetworkError; the signal's reason when aborted
 */
export async function connectThrough(proxy: URL, host: string, port: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const socket = dialProxy(proxy);
  return await new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.on('error', () => undefined).destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const connecting = request({
      method: 'CONNECT',
      path: authority,
      createConnection: () => socket,
      setHost: false,
      maxHeaderSize: maxProxyHeadBytes,
      headers: { Host: authority, ...authorization(proxy) },
    });
    // boundary: cannot throw.
    connecting.once('connect', ({ statusCode = 0 }, _socket, head) => {
      if (statusCode < 200 || statusCode > 299) return fail(refusal(proxy, authority, statusCode));
      signal.removeEventListener('abort', onAbort);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    // Some proxies answer a refused CONNECT like an ordinary request.
    connecting.once('response', ({ statusCode = 0 }) => fail(refusal(proxy, authority, statusCode)));
    connecting.on('error', (error) => fail(asNetworkError(error, `the proxy ${proxy.host}`)));
    connecting.end();
  });
}

function dialProxy(proxy: URL): Socket {
  const host = proxy.hostname.replace(/^\[(.*)\]$/, '$1');
  const isTls = proxy.protocol === 'https:';
  const options = {
    ...addressOptions,
    host,
    port: Number(proxy.port) || (isTls ? 443 : 80),
    allowHalfOpen: true,
    noDelay: true,
  };
  if (!isTls) return connect(options);
  return connectTls({ ...options, servername: /^[\d.]+$|:/.test(host) ? '' : host, ALPNProtocols: ['http/1.1'] });
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function refusal(proxy: URL, authority: string, status: number): NetworkError {
  const message =
    status === 407
      ? `the proxy ${proxy.host} requires a user name and a password: HTTPS_PROXY=http://user:password@host:port (407)`
      : `the proxy ${proxy.host} refuses to connect to ${authority} (${status})`;
  return new NetworkError('unreachable', message);
}

function isThisMachine(hostname: string): boolean {
  return /(^|\.)localhost$/.test(hostname) || hostname === '[::1]' || hostname.startsWith('127.');
}
