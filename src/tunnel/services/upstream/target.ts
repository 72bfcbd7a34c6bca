import { connect, type Socket } from 'node:net';
import { systemCode, UsageError } from '../../../sdk/calls/errors.js';
import { addressOptions } from '../../../sdk/transport/loopback.js';
import { tunnelKeepAliveMs } from '../../../net/tcp-keepalive.js';

const targetConnectTimeoutMs = 10_000;

/** A service that is reached by TCP. */
export interface Target {
  /** A hostname or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** It was given as `http://`. */
  readonly speaksHttp?: true;
}

const forms = '3000, host:3000, [::1]:3000 or http://host:3000';

/**
 * Parses the address of the local service: a port of this machine, `host:port`, `[address]:port` or
 * `http://host[:port]`.
 * @throws UsageError for anything else
 */
export function parseTarget(text: string | number): Target {
  const given = String(text).trim();
  if (/^\d+$/.test(given)) return { host: 'localhost', port: checkPort(given, given) };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase();
  if (scheme === 'https') {
    throw new UsageError(
      `target ${given}: visitors' TLS ends in the tunnel, so give the service's plain http:// address`,
    );
  }
  if (scheme !== undefined && scheme !== 'http')
    throw new UsageError(`target ${given}: ${scheme}:// is not supported: use ${forms}`);
  const authority = scheme === undefined ? given : given.slice('http://'.length).replace(/\/$/, '');
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d+))?$/i.exec(authority);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] ?? (scheme === 'http' ? '80' : undefined);
  if (host === undefined || port === undefined) throw new UsageError(`target ${JSON.stringify(given)} is not ${forms}`);
  return { host, port: checkPort(port, given), ...(scheme === 'http' && { speaksHttp: true }) };
}

/**
 * Parses the address of a local service that does not speak HTTP: `22`, `host:port`, `[address]:port`.
 * @throws UsageError for anything else
 */
export function parsePortTarget(text: string | number): Target {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(String(text).trim()))
    throw new UsageError(`target ${JSON.stringify(text)} is not 22, host:22 or [::1]:22`);
  return parseTarget(text);
}

function checkPort(digits: string, target: string): number {
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new UsageError(`target ${target}: ports are 1 to 65535`);
  return port;
}

export function describeTarget({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Connects to the service, trying each of its addresses. The connection allows half-close.
 * @throws Error with the system's `code`; the signal's reason when aborted
 */
export async function connectTarget(target: Target, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({
    host: target.host,
    port: target.port,
    ...addressOptions,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: tunnelKeepAliveMs,
  });
  return await new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', unreachable);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on('error', () => undefined).destroy();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const unreachable = (error: Error) => {
      const code = systemCode(error);
      const message = `${describeTarget(target)} cannot be reached${code === undefined ? '' : ` (${code})`}`;
      fail(Object.assign(new Error(message, { cause: error }), { code }));
    };
    const onAbort = () => fail(signal.reason);
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const timer = setTimeout(
      () => unreachable(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      targetConnectTimeoutMs,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    // boundary: cannot throw.
    socket.once('connect', onConnect).once('error', unreachable);
  });
}
