import { ApiError, type RequestBody, type SuccessData, success } from '../../../contract/index.js';
import type { LeaseAuth } from '../../leases/lease-auth.js';
import type { LeaseRegistry } from '../../leases/lease-registry.js';
import type { Bindings } from '../../keyless/bindings.js';
import type { DigestSigner } from '../../keyless/digest-signer.js';
import type { TranscriptRequest, TranscriptSigner } from '../../keyless/transcript-signer.js';
import type { SessionRegistry } from '../../reverse/session-registry.js';
import { identityKey } from '../../../contract/lease-identity.js';
import type { Policy } from '../../policy/policy.js';
import type { Handlers } from '../app.js';
import { refuseToSign } from '../../keyless/refuse-to-sign.js';
import { credentials } from './sdk.js';

export interface SystemParts {
  auth: LeaseAuth;
  leases: LeaseRegistry;
  sessions: SessionRegistry;
  transcripts: Pick<TranscriptSigner, 'sign'>;
  /** Present only when the operator has turned on digest signing. */
  digests?: Pick<DigestSigner, 'sign'> | undefined;
  policy: Policy;
  bindings: Pick<Bindings, 'bring'>;
  draining: AbortSignal;
  /** Whether the store answers, as far as is known. */
  isStoreUp(): boolean;
}

/** `/healthz`, `/v1/sign` and `/tunnel/status`. */
export function systemHandlers(parts: SystemParts): Handlers {
  return {
    getHealth(_request, response) {
      if (parts.draining.aborted) throw new ApiError('feature_unavailable', 'the relay is going down');
      const degraded = parts.leases.unwritten > 0 || !parts.isStoreUp() ? { degraded: ['store'] } : {};
      response.json(success({ status: 'ok', ...degraded } satisfies SuccessData<'getHealth'>));
    },

    async signHandshake(request, response) {
      const lease = await parts.auth.lease(credentials(request));
      const body = request.body as RequestBody<'signHandshake'>;
      if ('transcript' in body) {
        const asked = body as TranscriptRequest;
        await parts.bindings.bring(asked.binding, lease);
        response.json(success(parts.transcripts.sign(asked, lease)));
        return;
      }
      if (!parts.digests)
        throw new ApiError('feature_unavailable', 'this relay signs transcripts only', { status: 404 });
      refuseToSign(lease);
      // A digest cannot be tied to a connection that this relay routed.
      parts.policy.assertMayServe(identityKey(lease.identity));
      response.json(parts.digests.sign(body));
    },

    async getTunnelStatus(request, response) {
      const lease = await parts.auth.lease(credentials(request));
      const { hostname: asked } = request.query as { hostname: string };
      const hostname = asked.toLowerCase();
      if (hostname !== lease.hostname)
        throw new ApiError('unauthorized', 'the token is of a lease on another hostname');
      const data: SuccessData<'getTunnelStatus'> = {
        hostname,
        registered: true,
        service_alive: parts.sessions.isAlive(lease),
        own_certificate: lease.ownCertificate,
      };
      response.json(success(data));
    },
  };
}
