import { ApiError, failure, isApiError } from '../../contract/index.js';
import { identityKey } from '../../contract/lease-identity.js';
import { encodeSigningResponse, parseSigningRequest } from '../../protocol/session-signing.js';
import { signatureSchemeName } from '../../tls/codec/schemes.js';
import type { Logger } from '../../util/logger.js';
import { signingKeyId } from '../certs/certificate.js';
import type { Lease } from '../leases/lease.js';
import type { LeaseRegistry } from '../leases/lease-registry.js';
import type { Policy } from '../policy/policy.js';
import type { TranscriptSigner } from './transcript-signer.js';

/** The claimed session that a signing message came from. */
export interface SigningSession {
  lease: Lease;
  binding: Buffer;
  /** Address of its tunnel. */
  tunnelIp: string;
}

/** Signs handshakes inside their session: the same checks, errors and counters as `POST /v1/sign`. */
export class SessionSigner {
  constructor(
    private readonly transcripts: Pick<TranscriptSigner, 'sign'>,
    private readonly leases: Pick<LeaseRegistry, 'assertCurrent'>,
    private readonly policy: Policy,
    private readonly logger: Logger,
  ) {}

  /** The relay's signing message for the tunnel's. Never throws. */
  answer(message: Buffer, session: SigningSession): Buffer {
    try {
      return encodeSigningResponse({ status: 200, body: this.#sign(message, session) });
    } catch (thrown) {
      if (!isApiError(thrown)) this.logger.error({ err: thrown }, 'internal error');
      const error = isApiError(thrown) ? thrown : new ApiError('internal', 'the relay failed to sign');
      return encodeSigningResponse({ status: error.status, body: Buffer.from(JSON.stringify(failure(error))) });
    }
  }

  /** @throws ApiError as `signHandshake` */
  #sign(message: Buffer, { lease, binding, tunnelIp }: SigningSession): Buffer {
    this.policy.assertIpAllowed(tunnelIp);
    this.policy.assertNotRejected(identityKey(lease.identity));
    this.leases.assertCurrent(lease);
    const { scheme, transcript } = parseRequest(message);
    const { signature } = this.transcripts.sign(
      {
        key_id: signingKeyId,
        binding: binding.toString('base64'),
        signature_scheme: signatureSchemeName(scheme) ?? 'unknown',
        transcript: transcript.toString('base64'),
      },
      lease,
    );
    return Buffer.from(signature, 'base64');
  }
}

function parseRequest(message: Buffer) {
  try {
    return parseSigningRequest(message);
  } catch (cause) {
    throw new ApiError('invalid_request', (cause as Error).message, { cause });
  }
}
