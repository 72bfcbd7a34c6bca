import { STATUS_CODES } from 'node:http';
import { ApiError, type ErrorCode, isApiError } from '../contract/index.js';
import type { Logger } from '../util/logger.js';

/** The errors of express and express-openapi-validator. */
export interface LibraryError extends Error {
  status?: number;
  headers?: Record<string, string>;
  errors?: { path?: string; message?: string }[];
}

/**
 * Maps any thrown value to a catalogue error. Faults that are not the caller's become `internal`: the cause is logged
 * and never sent.
 * @param codeOf the code for a value that breaks its schema, by its place in `{ body, params, query, headers }`
 */
export function apiErrorOf(error: unknown, logger: Logger, codeOf: (pointer: string) => ErrorCode): ApiError {
  if (isApiError(error)) return error;
  const { status, errors = [], message } = error as LibraryError;
  if (status === 404) return new ApiError('not_found', 'no such endpoint', { cause: error });
  if (status === 405) return new ApiError('method_not_allowed', 'the endpoint has other methods', { cause: error });
  if (status === 401) return new ApiError('unauthorized', 'a credential is missing', { cause: error });
  if (status === 415)
    return new ApiError('invalid_request', 'the body must be application/json', { status, cause: error });
  if (status === 413) return new ApiError('invalid_request', STATUS_CODES[status], { status, cause: error });
  if (status !== undefined && status >= 400 && status < 500) {
    const fault = errors[0];
    if (!fault) return new ApiError('invalid_request', 'the request is malformed', { cause: error });
    const pointer = fault.path ?? '';
    return new ApiError(codeOf(pointer), `${pointer.slice(1).replaceAll('/', '.')} ${fault.message ?? 'is invalid'}`, {
      cause: error,
    });
  }
  logger.error({ err: error, message }, 'internal error');
  return new ApiError('internal', 'the request could not be answered', { cause: error });
}
