import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { reuse } from '../../net/pooled-reads.js';
import { type SignRequest, type TicketKeys, TlsServerStream } from '../../tls/index.js';
import type { RelayCertificate } from './keyless.js';

/** For the visitor's TLS handshake, the signature included. */
const handshakeTimeoutMs = 15_000;

export interface TenantTls {
  hostname: string;
  certificate: RelayCertificate;
  tickets: TicketKeys;
  sign(request: SignRequest): Promise<Buffer>;
  /** The session has its keys, and the visitor does not have them yet. */
  onKeys(stream: TlsServerStream): void;
}

/**
 * Terminates a visitor's TLS on top of a claimed session: the relay carries ciphertext only.
 * @returns the visitor's decrypted stream, after the handshake
 * @throws TlsAlertError or the error that broke the handshake; the session is closed then
 */
export async function acceptVisitor(session: Duplex, tls: TenantTls): Promise<TlsServerStream> {
  const stream = new TlsServerStream(session, {
    chain: tls.certificate.chain,
    schemes: tls.certificate.schemes,
    sign: tls.sign,
    // With a certificate that tenants share, h2 would let browsers send one tenant's requests to another.
    alpn: ['http/1.1'],
    acceptServerName: (name) => name?.toLowerCase() === tls.hostname,
    tickets: tls.tickets,
    handshakeTimeoutMs,
    readBulk: reuse,
  });
  // An error before the caller has added its own listener; the caller then finds the stream closed.
  stream.on('error', () => undefined);
  stream.once('keys', () => tls.onKeys(stream));
  try {
    await once(stream, 'secure');
  } catch (error) {
    stream.destroy();
    throw error;
  }
  return stream;
}
