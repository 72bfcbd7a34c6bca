import { X509Certificate } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import type { RequestBody } from '../../contract/operations.js';
import type { PortalClient } from '../../sdk/calls/client.js';
import { AnswerError } from '../../sdk/calls/errors.js';
import { schemesForKey, type SignRequest } from '../../tls/index.js';
import { compatKeyId, signDigest } from './digest-signing.js';

/** Deadline for one signature. */
export const signTimeoutMs = 8_000;
/** Least interval between fetches of the chain, however many handshakes fail. */
const chainRefreshSpacingMs = 1_000;
/** Least interval between looks at the chain that a relay of an earlier release presents. */
const presentedChainSpacingMs = 60_000;
const maxChainCertificates = 10;

type SignatureSchemeName = Extract<RequestBody<'signHandshake'>, { binding: string }>['signature_scheme'];

export interface KeylessOptions {
  /** Whether TLS is terminated here; otherwise a relay without signing is fine too. True by default. */
  isNeeded?: boolean | undefined;
  /** The chain that the relay presents, DER, leaf first. Without it, relays of earlier releases are refused. */
  presentedChain?: ((signal: AbortSignal) => Promise<Buffer[]>) | undefined;
}

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

  #isCompat = false;
  #presentedAt = -Infinity;

  constructor(
    private readonly client: PortalClient,
    private readonly options: KeylessOptions = {},
  ) {}

  /** Whether the relay is of an earlier release, whose ways are used (docs/protocol.md, Relays of earlier releases). */
  get isCompat(): boolean {
    return this.#isCompat;
  }

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
    this.#isCompat = domain.isEarlier;
    if (!this.offers(carrier)) {
      throw new ApiError('feature_unavailable', `the relay does not offer the carrier ${carrier}`);
    }
    if (this.options.isNeeded === false) return;
    if (domain.isEarlier) {
      await this.#takePresented(signal);
      return;
    }
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

  /** The chain of a relay that does not tell it: what it presents for its own name, which visitors' names share. */
  async #takePresented(signal = new AbortController().signal): Promise<void> {
    const { presentedChain } = this.options;
    if (!presentedChain) throw new ApiError('feature_unavailable', 'the relay does not sign handshakes');
    if (performance.now() - this.#presentedAt < presentedChainSpacingMs) return;
    const pem = (await presentedChain(signal)).map((raw) => new X509Certificate(raw).toString()).join('');
    this.#presentedAt = performance.now();
    if (pem === this.#certificate?.pem) return;
    const certificate = { pem, keyId: compatKeyId, ...parseChain(pem) };
    const example = `name.${this.client.relay.hostname}`;
    if (new X509Certificate(certificate.chain[0]!).checkHost(example) === undefined)
      throw new AnswerError(`the relay's certificate is not for names under it, such as ${example}`);
    this.#certificate = certificate;
  }

  /**
   * After a refused signature: fetches the chain again, once for all handshakes that fail at the same time. Never
   * throws.
   */
  async refreshAfterRefusal(carrier: string, signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#refreshedAt < chainRefreshSpacingMs) return;
    this.#presentedAt = -Infinity;
    this.#refreshing ??= this.refresh(carrier, signal)
      .catch(() => undefined)
      .finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /**
   * Requests the relay's signature for one handshake.
   * @param request without a binding, by digest
   * @returns the `signature` of CertificateVerify
   * @throws what `signHandshake` and `signDigest` throw
   */
  async sign(
    accessToken: string,
    certificate: RelayCertificate,
    request: Omit<SignRequest, 'serverName'> & { binding: Buffer | undefined },
  ): Promise<Buffer> {
    if (request.binding === undefined)
      return await signDigest(this.client, accessToken, certificate.chain[0]!, {
        ...request,
        timeoutMs: signTimeoutMs,
      });
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
