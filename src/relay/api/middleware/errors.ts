import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { ApiError, type OperationId, failure, isDeclared, violationCode, isApiError } from '../../../contract/index.js';
import type { Logger } from '../../../util/logger.js';

/** The errors of express and express-openapi-validator. */
interface LibraryError extends Error {
  status?: number;
  headers?: Record<string, string>;
  errors?: { path?: string; message?: string }[];
}

/**
 * Maps any thrown value to a catalogue error. Faults that are not the caller's become `internal`: the cause is logged
 * and never sent.
 */
export function asApiError(error: unknown, logger: Logger, operationId?: OperationId): ApiError {
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
    const code = operationId ? violationCode(operationId, pointer) : 'invalid_request';
    return new ApiError(code, `${pointer.slice(1).replaceAll('/', '.')} ${fault.message ?? 'is invalid'}`, {
      cause: error,
    });
  }
  logger.error({ err: error, message }, 'internal error');
  return new ApiError('internal', 'the relay failed to answer', { cause: error });
}

/**
 * The application's last handler: sends every error as an envelope.
 * @param declaredOnly turns an error that the contract does not declare for the operation into `internal`: it is a
 * bug
 */
export function answerErrors(logger: Logger, declaredOnly: boolean): ErrorRequestHandler {
  // Express recognizes error handlers by their four parameters.
  return (thrown: unknown, request, response, _next) => {
    // express-openapi-validator puts the operation it found on the request.
    const { openapi } = request as { openapi?: { schema?: { operationId?: OperationId } } };
    const operationId = openapi?.schema?.operationId;
    let error = asApiError(thrown, logger, operationId);
    if (declaredOnly && operationId && !isDeclared(operationId, error)) {
      error = new ApiError('internal', `${operationId} does not declare ${error.code} with status ${error.status}`);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const allow = (thrown as LibraryError).headers?.['Allow'];
    if (allow) response.set('Allow', allow);
    if (error.retryAfterSeconds !== undefined) response.set('Retry-After', String(error.retryAfterSeconds));
    response.locals['code'] = error.code;
    response.status(error.status).json(failure(error));
  };
}
