import type { ApiError } from './errors.js';
import type { components } from './operations.js';

export interface Failure {
  ok: false;
  error: components['schemas']['ErrorDetail'];
}

/** Longest `error.message` that the contract allows, in characters. */
const maxMessageLength = 1024;

/** The envelope of a success. `error` is omitted, although the contract also allows null. */
export function success<Data>(data: Data): { ok: true; data: Data } {
  return { ok: true, data };
}

/** The envelope of a failure: its code and message, never its cause. */
export function failure(error: ApiError): Failure {
  return { ok: false, error: { code: error.code, message: error.message.slice(0, maxMessageLength) } };
}
