import { type Duplex, duplexPair } from 'node:stream';
import { namedGroup } from '../../src/tls/codec/constants.js';
import { type SignRequest, type TlsServerOptions, TlsServerStream } from '../../src/tls/server/server.js';
import { type TestCertificate } from './certificate.js';
import { type HelloOptions, encodeHello, helloParts, makeKeyPair } from './client-hello.js';
import { RawClient } from './raw-client.js';
import { signingOptions } from './test-server.js';

export interface Connection {
  readonly client: RawClient;
  readonly stream: TlsServerStream;
  /** The server's end of the transport. */
  readonly transport: Duplex;
  readonly signed: SignRequest[];
  readonly errors: Error[];
  /** Settle when the handshake is done, and when the server's stream is closed. */
  readonly secured: Promise<void>;
  readonly closed: Promise<void>;
}

/** A raw client and a server of ours with nothing but memory between them. */
export function connectInMemory(certificate: TestCertificate, overrides: Partial<TlsServerOptions> = {}): Connection {
  const [near, far] = duplexPair();
  const signed: SignRequest[] = [];
  const errors: Error[] = [];
  const stream = new TlsServerStream(far, signingOptions(certificate, overrides, signed));
  stream.on('error', (error: Error) => errors.push(error));
  const secured = new Promise<void>((resolve) => stream.once('secure', () => resolve()));
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return { client: new RawClient(near), stream, transport: far, signed, errors, secured, closed };
}

/** The same with a handshake that is done. */
export async function connectSecurely(
  certificate: TestCertificate,
  overrides: Partial<TlsServerOptions> = {},
  options: HelloOptions = {},
): Promise<Connection> {
  const connection = connectInMemory(certificate, overrides);
  const pair = makeKeyPair(namedGroup.secp256r1);
  connection.client.sendHello(encodeHello(helloParts([pair], options)));
  await connection.client.readFlight(pair);
  connection.client.finish();
  await connection.secured;
  return connection;
}
