import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { signWithScheme, schemesForKey } from '../../src/tls/codec/schemes.js';
import { type SignRequest, type TlsServerOptions, TlsServerStream } from '../../src/tls/server/server.js';
import { type TestCertificate } from './certificate.js';

export interface TestServer {
  readonly port: number;
  /** Every request for a signature so far. */
  readonly signed: SignRequest[];
  /** The connections so far; their errors are in `errors`. */
  readonly streams: TlsServerStream[];
  readonly errors: Error[];
  stop(): Promise<void>;
}

/** Options that sign with the certificate's own key and note each request in `signed`. */
export function signingOptions(
  certificate: TestCertificate,
  overrides: Partial<TlsServerOptions> = {},
  signed: SignRequest[] = [],
): TlsServerOptions {
  return {
    chain: certificate.chain,
    schemes: schemesForKey(certificate.key),
    sign(request) {
      signed.push(request);
      return Promise.resolve(signWithScheme(request.scheme, certificate.key, request.content));
    },
    ...overrides,
  };
}

/** Sends back what comes in, ends when the client ends. */
export function echo(stream: TlsServerStream): void {
  stream.pipe(stream);
}

/** A TLS server of ours on a free port of 127.0.0.1. */
export async function startTestServer(
  certificate: TestCertificate,
  overrides: Partial<TlsServerOptions> = {},
  serve: (stream: TlsServerStream) => void = echo,
): Promise<TestServer> {
  const signed: SignRequest[] = [];
  const streams: TlsServerStream[] = [];
  const errors: Error[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const stream = new TlsServerStream(socket, signingOptions(certificate, overrides, signed));
    streams.push(stream);
    stream.on('error', (error: Error) => errors.push(error));
    serve(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    signed,
    streams,
    errors,
    async stop() {
      for (const stream of streams) stream.destroy();
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
