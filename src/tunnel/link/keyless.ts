import { X509Certificate } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import type { RequestBody } from '../../contract/operations.js';
import type { PortalClient } from '../../sdk/calls/client.js';
import { AnswerError } from '../../sdk/calls/errors.js';
import { schemesForKey } from '../../tls/index.js';

/** Deadline for one signature. */
export const signTimeoutMs = 8_000;
/** Least interval between fetches of the chain, however many handshakes fail. */
const chainRefreshSpacingMs = 1_000;
const maxChainCertificates = 10;

type SignatureSchemeName = Extract<RequestBody<'signHandshake'>, { binding: string }>['signature_scheme'];

/** In milliseconds since the epoch. */
export interface CertificateLife {
  from: number;
  until: number;
}

/** The inputs of a handshake with the relay's certificate. */
export interface RelayCertificate {
  readonly pem: string;
  readonly keyId: string;
  /** DER, leaf first. */
  readonly chain: Buffer[];
  /** Signature schemes that fit the leaf's key, in order of preference. */
  readonly schemes: number[];
  readonly life: CertificateLife;
}

/** The relay's certificate, with signatures by its key, which stays with the relay. */
export class Keyless {
  #certificate: RelayCertificate | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshedAt = -Infinity;
  #transports: string[] = [];

  /** @param isNeeded whether TLS is terminated here; otherwise a relay without signing is fine too */
  constructor(
    private readonly client: PortalClient,
    private readonly isNeeded = true,
  ) {}

  /** Whether the relay offered a carrier at the last refresh. */
  offers(carrier: string): boolean {
    return this.#transports.includes(carrier);
  }

  /** Of the last fetched certificate, once there is one. */
  get life(): CertificateLife | undefined {
    return this.#certificate?.life;
  }

  /** The last fetched chain. Throws before the first `refresh`. */
  get certificate(): RelayCertificate {
    if (this.#certificate === undefined) throw new Error('the certificate chain has not been fetched');
    return this.#certificate;
  }

  /**
   * Fetches the relay's domain information and its chain.
   * @param carrier that the relay must offer
   * @throws ApiError `feature_unavailable` when this relay cannot serve the tunnel; what `getDomain` throws
   */
  async refresh(carrier: string, signal?: AbortSignal): Promise<void> {
    const domain = await this.client.getDomain({ signal });
    this.#refreshedAt = performance.now();
    if (domain.root_host !== this.client.relay.hostname) {
      throw new AnswerError(`the relay is ${domain.root_host}, not ${this.client.relay.hostname}: use its own URL`);
    }
    this.#transports = domain.transports;
    if (!this.offers(carrier)) {
      throw new ApiError('feature_unavailable', `the relay does not offer the carrier ${carrier}`);
    }
    if (!this.isNeeded) return;
    const { keyless } = domain;
    if (keyless === undefined || !keyless.modes.includes('transcript')) {
      throw new ApiError('feature_unavailable', 'the relay does not sign handshakes');
    }
    if (keyless.certificate_chain === this.#certificate?.pem && keyless.key_id === this.#certificate.keyId) return;
    this.#certificate = {
      pem: keyless.certificate_chain,
      keyId: keyless.key_id,
      ...parseChain(keyless.certificate_chain),
    };
  }

  /**
   * After a refused signature: fetches the chain again, once for all handshakes that fail at the same time. Never
   * throws.
   */
  async refreshAfterRefusal(carrier: string, signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#refreshedAt < chainRefreshSpacingMs) return;
    this.#refreshing ??= this.refresh(carrier, signal)
      .catch(() => undefined)
      .finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /**
   * Requests the relay's signature for one handshake.
   * @param transcript handshake messages, ClientHello to Certificate, with their headers
   * @returns the `signature` of CertificateVerify
   * @throws what `signHandshake` throws
   */
  async sign(
    accessToken: string,
    certificate: RelayCertificate,
    request: { binding: Buffer; schemeName: string; transcript: Buffer; signal: AbortSignal },
  ): Promise<Buffer> {
    const answer = await this.client.signHandshake(
      accessToken,
      {
        key_id: certificate.keyId,
        binding: request.binding.toString('base64'),
        signature_scheme: request.schemeName as SignatureSchemeName,
        transcript: request.transcript.toString('base64'),
      },
      { signal: request.signal, timeoutMs: signTimeoutMs },
    );
    return Buffer.from(answer.signature, 'base64');
  }
}

export const lifeOf = ({ validFrom, validTo }: X509Certificate): CertificateLife => ({
  from: Date.parse(validFrom),
  until: Date.parse(validTo),
});

/** @throws AnswerError when it is not a PEM chain or its leaf has no key usable in TLS 1.3 */
export function parseChain(pem: string): Pick<RelayCertificate, 'chain' | 'schemes' | 'life'> {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  const chain = blocks.slice(0, maxChainCertificates + 1).map((block) => Buffer.from(block[1]!, 'base64'));
  if (chain.length === 0 || chain.length > maxChainCertificates)
    throw new AnswerError("the relay's certificate chain is unusable");
  try {
    const leaf = new X509Certificate(chain[0]!);
    const schemes = schemesForKey(leaf.publicKey);
    if (schemes.length > 0) return { chain, schemes, life: lifeOf(leaf) };
  } catch (error) {
    throw new AnswerError("the relay's certificate chain is unusable", undefined, { cause: error });
  }
  throw new AnswerError("the relay's certificate has a key that TLS 1.3 cannot use");
}
