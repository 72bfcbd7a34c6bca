import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { reuse } from '../../net/pooled-reads.js';
import {
  type Credentials,
  type SignRequest,
  type TicketKeys,
  TlsAlertError,
  TlsServerStream,
  signWithScheme,
} from '../../tls/index.js';

/** For the visitor's TLS handshake, the signature included. */
const handshakeTimeoutMs = 15_000;
/** ALPN of the challenge `tls-alpn-01` (RFC 8737 6.2). */
export const acmeProtocol = 'acme-tls/1';

export interface TenantTls {
  hostname: string;
  /** Absent while the tunnel's own certificate is ordered. */
  certificate: { chain: Buffer[]; schemes: number[] } | undefined;
  /** What answers ACME's challenge, while one is awaited. */
  challenge?: Credentials | undefined;
  /** Protocols, most preferred first. */
  alpn: string[];
  tickets: TicketKeys;
  sign(request: SignRequest): Promise<Buffer>;
  /** The session has its keys, and the visitor does not have them yet. */
  onKeys(stream: TlsServerStream): void;
}

/** Signs with a key of the tunnel's own. */
export async function signLocally({ key }: Credentials, { scheme, content }: SignRequest): Promise<Buffer> {
  return signWithScheme(scheme, key, content);
}

/**
 * Terminates a visitor's TLS on top of a claimed session: the relay carries ciphertext only.
 * @returns the visitor's decrypted stream, after the handshake; with `alpnProtocol` `acme-tls/1` it is a CA's, which
 * wants nothing more
 * @throws TlsAlertError or the error that broke the handshake; the session is closed then
 */
export async function acceptVisitor(session: Duplex, tls: TenantTls): Promise<TlsServerStream> {
  const { certificate, challenge } = tls;
  let isChallenge = false;
  const stream = new TlsServerStream(session, {
    chain: certificate?.chain ?? [],
    schemes: certificate?.schemes ?? [],
    sign: (request) => (isChallenge && challenge ? signLocally(challenge, request) : tls.sign(request)),
    alpn: tls.alpn,
    select({ alpn }) {
      // The only protocol of its ClientHello (RFC 8737 3).
      isChallenge = challenge !== undefined && alpn?.length === 1 && alpn[0] === acmeProtocol;
      if (isChallenge && challenge)
        return { chain: challenge.chain, schemes: challenge.schemes, alpn: [acmeProtocol], tickets: undefined };
      if (!certificate) throw new TlsAlertError('internal_error', 'the certificate is not there yet');
      return undefined;
    },
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
