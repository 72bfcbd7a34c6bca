import type { ErrorRequestHandler } from 'express';
import { ApiError, type OperationId, failure, helpLink, isDeclared, violationCode } from '../../../contract/index.js';
import { apiErrorOf, type LibraryError } from '../../../http-api/library-errors.js';
import type { Logger } from '../../../util/logger.js';

/** Maps any thrown value to a catalogue error. */
export function asApiError(error: unknown, logger: Logger, operationId?: OperationId): ApiError {
  return apiErrorOf(error, logger, (pointer) =>
    operationId ? violationCode(operationId, pointer) : 'invalid_request',
  );
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
    response.set('Link', helpLink(error.code));
    response.locals['code'] = error.code;
    response.status(error.status).json(failure(error));
  };
}
