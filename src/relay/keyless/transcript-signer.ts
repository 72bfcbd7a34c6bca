import { ApiError } from '../../contract/index.js';
import { signatureSchemes, signWithScheme } from '../../tls/codec/schemes.js';
import type { CertificateSource } from '../certs/certificate-source.js';
import { signingKeyId } from '../certs/certificate.js';
import type { Lease } from '../leases/lease.js';
import type { Bindings } from './bindings.js';
import { refuseToSign } from './refuse-to-sign.js';
import { checkTranscript } from './transcript.js';

export interface TranscriptRequest {
  key_id: string;
  /** Base64 of 16 bytes. */
  binding: string;
  /** IANA name. */
  signature_scheme: string;
  /** Base64 of the handshake messages. */
  transcript: string;
}

export interface TranscriptSignature {
  key_id: string;
  signature_scheme: string;
  /** Base64. */
  signature: string;
}

/** Signs the handshake of a connection that this relay routed: once, and nothing else. */
export class TranscriptSigner {
  constructor(
    private readonly certificates: CertificateSource,
    private readonly bindings: Bindings,
  ) {}

  /** @throws ApiError `invalid_request` for anything but exactly that handshake */
  sign(request: TranscriptRequest, lease: Lease): TranscriptSignature {
    refuseToSign(lease);
    if (request.key_id !== signingKeyId) throw new ApiError('invalid_request', 'key_id is not a key of this relay');
    const connection = this.bindings.spend(request.binding, lease);
    const scheme = (signatureSchemes as Record<string, number>)[request.signature_scheme];
    if (scheme === undefined) throw new ApiError('invalid_request', 'signature_scheme is not known');
    const transcript = Buffer.from(request.transcript, 'base64');
    const { content, chain } = checkTranscript(transcript, {
      clientHello: connection.clientHello,
      hostname: lease.hostname,
      scheme,
    });
    const certificate = this.certificates
      .usable()
      .find(
        (usable) =>
          usable.chain.length === chain.length &&
          usable.chain.every((der, index) => der.equals(chain[index] as Buffer)),
      );
    if (!certificate) throw new ApiError('invalid_request', "transcript: the certificate chain is not this relay's");
    if (!certificate.schemes.includes(scheme))
      throw new ApiError('invalid_request', 'signature_scheme does not fit the key');
    const signature = signWithScheme(scheme, certificate.key, content);
    return {
      key_id: signingKeyId,
      signature_scheme: request.signature_scheme,
      signature: signature.toString('base64'),
    };
  }
}
