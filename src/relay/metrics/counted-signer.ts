import { isApiError } from '../../contract/index.js';
import type { ApiResult } from './metrics.js';

type SigningMode = 'transcript' | 'digest';

interface Signer<Args extends unknown[], Signature> {
  sign(...args: Args): Signature;
}

/** Wraps a signer and counts its results. */
export function countedSigner<Args extends unknown[], Signature>(
  signer: Signer<Args, Signature>,
  mode: SigningMode,
  counts: { signature(mode: SigningMode, result: ApiResult): void },
): Signer<Args, Signature> {
  return {
    sign(...args) {
      try {
        const signature = signer.sign(...args);
        counts.signature(mode, 'ok');
        return signature;
      } catch (error) {
        counts.signature(mode, isApiError(error) ? error.code : 'internal');
        throw error;
      }
    },
  };
}
