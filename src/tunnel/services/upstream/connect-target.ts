import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemCode } from '../../../sdk/calls/errors.js';
import { addressOptions } from '../../../sdk/transport/loopback.js';
import { tunnelKeepAliveMs } from '../../../net/tcp-keepalive.js';
import { type ConnectTarget, describeTarget, type PortTarget } from './target.js';

/** Deadline for a connection, with its TLS handshake. */
const targetConnectTimeoutMs = 10_000;

/** How an `https://` service is verified. */
export interface UpstreamTls {
  /** PEM certificates to trust instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /** Accept any certificate. */
  insecure?: boolean | undefined;
}

export interface ConnectOptions {
  tls?: UpstreamTls | undefined;
  /** Bytes that come before everything else, TLS included. */
  first?: Buffer | undefined;
}

/** The service does not speak TLS or HTTP/2 as it was given: the message says what to do. */
export class UnfitServiceError extends Error {
  override readonly name = 'UnfitServiceError';
}

/**
 * Connects to the service, trying each of its addresses, with TLS to an `https://` one. A connection without TLS allows
 * half-close.
 * @throws Error with the system's `code`; UnfitServiceError; the signal's reason when aborted
 */
export async function connectTarget(
  target: ConnectTarget,
  signal: AbortSignal,
  { tls, first }: ConnectOptions = {},
): Promise<Socket> {
  signal.throwIfAborted();
  // Not AbortSignal.any, which keeps what it has made for as long as the outer signal lives.
  const over = new AbortController();
  const onAbort = () => over.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => over.abort(unreachable(target, Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))),
    targetConnectTimeoutMs,
  );
  try {
    const socket = connect({
      ...('host' in target ? { host: target.host, port: target.port, ...addressOptions } : { path: target.socketPath }),
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: tunnelKeepAliveMs,
    });
    await settled(socket, 'connect', over.signal, (error) => unreachable(target, error));
    if (first) socket.write(first);
    return 'host' in target && target.scheme === 'https' ? await secure(socket, target, over.signal, tls) : socket;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function secure(socket: Socket, target: PortTarget, signal: AbortSignal, tls: UpstreamTls = {}): Promise<Socket> {
  const { host } = target;
  const secured = connectTls({
    socket,
    host,
    // An address is not sent as SNI (RFC 6066 3).
    servername: isIP(host) === 0 ? host : '',
    ca: tls.ca,
    rejectUnauthorized: tls.insecure !== true,
    ALPNProtocols: [target.isHttp2 ? 'h2' : 'http/1.1'],
  });
  await settled(secured, 'secureConnect', signal, (error) => handshakeError(target, error));
  if (target.isHttp2 && secured.alpnProtocol !== 'h2') {
    secured.on('error', () => undefined).destroy();
    throw new UnfitServiceError(`${describeTarget(target)} does not offer HTTP/2: give it as https://`);
  }
  return secured;
}

/** Waits for the event. Otherwise the socket is destroyed. */
async function settled(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
  describe: (error: Error) => Error,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onDone).off('error', onError).off('close', onClose);
    };
    const fail = (error: Error) => {
      settle();
      socket.on('error', () => undefined).destroy();
      reject(error);
    };
    const onDone = () => {
      settle();
      resolve();
    };
    const onError = (error: Error) => fail(describe(error));
    const onClose = () => onError(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    const onAbort = () => fail(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    // boundary: cannot throw.
    socket.once(event, onDone).once('error', onError).once('close', onClose);
  });
}

function unreachable(target: ConnectTarget, error: Error): Error {
  const code = systemCode(error);
  const message = `${describeTarget(target)} cannot be reached${code === undefined ? '' : ` (${code})`}`;
  return Object.assign(new Error(message, { cause: error }), { code });
}

/** OpenSSL's names of what is wrong with a certificate, and Node's. */
const certificateCodes =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_|HOSTNAME_MISMATCH$|ERR_TLS_CERT_ALTNAME_INVALID$)/;
/** What came is no TLS record. */
const noTlsCodes = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/;

function handshakeError(target: PortTarget, error: NodeJS.ErrnoException): Error {
  const code = error.code ?? '';
  const url = `https://${describeTarget(target)}`;
  const fault = (message: string) => Object.assign(new UnfitServiceError(message, { cause: error }), { code });
  if (certificateCodes.test(code)) {
    const advice = 'give its CA by --upstream-ca FILE, or accept any certificate by --upstream-insecure';
    return fault(`the certificate of ${url} is not valid (${code}): ${advice}`);
  }
  if (noTlsCodes.test(code)) return fault(`${describeTarget(target)} does not speak TLS: give it as http://`);
  if (code.startsWith('ERR_SSL_'))
    return fault(`the TLS handshake with ${url} failed (${code}): see the log of the service`);
  return unreachable(target, error);
}
