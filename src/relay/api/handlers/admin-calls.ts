import type { Request, Response } from 'express';
import { ApiError, type OperationId, success } from '../../../contract/index.js';
import type { LeaseIdentity } from '../../../contract/lease-identity.js';
import type { AuditLog } from '../../audit/audit-log.js';
import { parseIdentity } from '../../leases/lease.js';
import type { Actor } from '../../policy/policy.js';
import { admitted } from '../middleware/admin-guard.js';
import { clientIp } from './sdk.js';

/** What calls under `/admin` have in common. */

/** @throws ApiError `unauthorized` when the caller is not logged in */
export function actor(request: Request, response: Response): Actor {
  const [session] = admitted(response).sessions;
  if (!session) throw new ApiError('unauthorized', 'log in first');
  return { wallet: session.wallet, ip: clientIp(request) };
}

/** Makes handlers that change something for a logged-in admin. Failed attempts are audited too. */
export function changesOf(audit: AuditLog) {
  return (operationId: OperationId, make: (request: Request, by: Actor) => Promise<object>) =>
    async (request: Request, response: Response): Promise<void> => {
      const by = actor(request, response);
      try {
        response.json(success(await make(request, by)));
      } catch (error) {
        const reason = error instanceof ApiError ? `${error.code}: ${error.message}` : 'internal';
        await audit.refused({ ...by, action: operationId, reason });
        throw error;
      }
    };
}

/** @throws ApiError `invalid_request`, `invalid_address` */
export function identityIn({ params }: Request): LeaseIdentity {
  const name = fromBase64Url(String(params['name']));
  if (name === undefined) throw new ApiError('invalid_request', 'the name is not base64url');
  const address = fromBase64Url(String(params['addr']));
  if (address === undefined) throw new ApiError('invalid_address', 'the address is not base64url');
  return parseIdentity({ name, address });
}

/** @returns undefined unless it is canonical base64url, padded or not */
function fromBase64Url(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url');
  const bare = bytes.toString('base64url');
  const padded = bare.padEnd(Math.ceil(bare.length / 4) * 4, '=');
  return text === bare || text === padded ? bytes.toString() : undefined;
}
