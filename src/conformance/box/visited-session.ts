import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls';
import { ApiError, failure, isApiError } from '../../contract/index.js';
import { encodeOpening, marker } from '../../protocol/session-opening.js';
import { encodeSigningResponse, parseSigningRequest } from '../../protocol/session-signing.js';
import type { Certificate } from '../../relay/certs/certificate.js';
import { checkTranscript } from '../../relay/keyless/transcript.js';
import type { ReverseSession } from '../../relay/reverse/reverse-session.js';
import { signatureSchemeName, signatureSchemes, signWithScheme } from '../../tls/codec/schemes.js';

const handshakeTimeoutMs = 12_000;
const recordHeaderBytes = 5;

/** What a session needs of the box. */
export interface VisitedBox {
  hostname: string;
  tenants: Certificate;
  readonly refusals: string[];
  claimed(session: VisitedSession, binding: Buffer): void;
  signedInside(binding: Buffer): boolean;
}

export interface VisitOptions extends Pick<
  ConnectionOptions,
  'ALPNProtocols' | 'ecdhCurve' | 'maxVersion' | 'minVersion'
> {
  /** Refuses the signature, with this code. */
  refuseToSign?: boolean;
  /** Keepalives before the visitor comes. */
  keepalives?: number;
}

/** A reverse session of the SDK under test, and the visitor on it. */
export class VisitedSession {
  #written = Buffer.alloc(0);

  constructor(
    private readonly session: ReverseSession,
    private readonly box: VisitedBox,
  ) {}

  /** What the visitor's side of the session carries: bytes as a relay passes them on. */
  claim({ refuseToSign = false, keepalives = 0 }: VisitOptions = {}): Duplex {
    for (let count = 0; count < keepalives; count++) this.session.stream.write(Buffer.from([marker.keepalive]));
    const binding = randomBytes(16);
    this.box.claimed(this, binding);
    const addresses = {
      source: { address: '203.0.113.50', port: 51_234 },
      destination: { address: '198.51.100.10', port: 443 },
    };
    const { proxy } = this.session.options;
    const opening = encodeOpening({ kind: 'tenantTls', binding, addresses, withAddresses: proxy });
    const channel = this.session.claim(opening, (message) => {
      try {
        if (refuseToSign) throw new ApiError('invalid_request', 'as the scenario has it: not signed');
        if (!this.box.signedInside(binding)) throw new ApiError('invalid_request', 'the binding is spent');
        const { scheme, transcript } = parseSigningRequest(message);
        return encodeSigningResponse({
          status: 200,
          body: this.sign(signatureSchemeName(scheme) ?? 'unknown', transcript),
        });
      } catch (thrown) {
        const error = isApiError(thrown) ? thrown : new ApiError('invalid_request', (thrown as Error).message);
        this.box.refusals.push(error.message);
        return encodeSigningResponse({ status: error.status, body: Buffer.from(JSON.stringify(failure(error))) });
      }
    });
    channel.on('error', () => {});
    return channel;
  }

  /**
   * A visitor by TLS, on this session.
   * @throws Error when there is no handshake
   */
  async visit(options: VisitOptions = {}): Promise<TLSSocket> {
    const { refuseToSign, keepalives, ...tls } = options;
    const visitor = connect({
      socket: this.#tap(this.claim(options)),
      servername: this.box.hostname,
      // Its chain is compared by the transcript; the box has no CA that anybody knows.
      ca: this.box.tenants.chainPem,
      checkServerIdentity: () => undefined,
      rejectUnauthorized: false,
      allowHalfOpen: true,
      ...tls,
    } as ConnectionOptions);
    visitor.on('error', () => {});
    const timer = setTimeout(() => visitor.destroy(new Error('no TLS handshake in time')), handshakeTimeoutMs);
    try {
      await once(visitor, 'secureConnect');
    } finally {
      clearTimeout(timer);
    }
    return visitor;
  }

  /** Sends bytes in place of a keepalive or a marker. */
  corrupt(bytes: Buffer): void {
    this.session.stream.write(bytes);
  }

  /** @throws ApiError */
  sign(schemeName: string, transcript: Buffer): Buffer {
    const scheme = (signatureSchemes as Record<string, number>)[schemeName];
    if (scheme === undefined) throw new ApiError('invalid_request', 'signature_scheme is not known');
    const { tenants, hostname } = this.box;
    const { content, chain } = checkTranscript(transcript, { clientHello: this.#clientHello(), hostname, scheme });
    if (chain.length !== tenants.chain.length || !tenants.chain.every((der, index) => der.equals(chain[index]!)))
      throw new ApiError('invalid_request', "transcript: the certificate chain is not the relay's");
    return signWithScheme(scheme, tenants.key, content);
  }

  destroy(): void {
    this.session.destroy();
  }

  /** The first message of the visitor, which comes in one record. */
  #clientHello(): Buffer {
    return this.#written.subarray(recordHeaderBytes, recordHeaderBytes + this.#written.readUInt16BE(3));
  }

  /** Notes what the visitor writes first. */
  #tap(channel: Duplex): Duplex {
    const tap = new Duplex({
      allowHalfOpen: true,
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#written.length === 0) this.#written = Buffer.from(chunk);
        channel.write(chunk, (error) => done(error));
      },
      final: (done) => void channel.end(done),
      read: () => void channel.resume(),
      destroy: (error, done) => {
        channel.destroy(error ?? undefined);
        done(error);
      },
    });
    channel.on('data', (chunk: Buffer) => void (!tap.push(chunk) && channel.pause()));
    channel.once('end', () => tap.push(null));
    channel.once('close', () => {
      if (!channel.readableEnded || !channel.writableFinished) tap.destroy(new Error('the connection was cut'));
    });
    return tap;
  }
}
