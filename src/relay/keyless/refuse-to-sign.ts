import { ApiError } from '../../contract/index.js';
import type { Lease } from '../leases/lease.js';

/** @throws ApiError `invalid_request` for a lease with a certificate of its own */
export function refuseToSign(lease: Lease): void {
  if (lease.ownCertificate)
    throw new ApiError(
      'invalid_request',
      `${lease.hostname} has a certificate of its own: the relay signs nothing for it`,
    );
}
