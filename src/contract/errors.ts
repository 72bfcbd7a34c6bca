import { errorCatalogue, operationErrors, violationCodes, type ErrorCode } from '../../generated/errors.js';
import type { OperationId } from './operations.js';

export { errorCatalogue, operationErrors, violationCodes, type ErrorCode } from '../../generated/errors.js';

/** What a retry can achieve; the contract's `ErrorCode` defines each word. */
export type Retry = (typeof errorCatalogue)[ErrorCode]['retry'];

interface CatalogueEntry {
  status: number;
  otherStatuses?: readonly number[];
  meaning: string;
  retry: Retry;
  retryAfterSeconds?: number;
  action: string;
}

export interface ApiErrorOptions {
  /** HTTP status, where the operation overrides the catalogue's status. */
  status?: number;
  /** Seconds, for `Retry-After`. */
  retryAfterSeconds?: number | undefined;
  /** A retry is useless this time, whatever the catalogue says about the code. */
  isFinal?: boolean;
  /** The underlying error. It is logged and never sent. */
  cause?: unknown;
}

/** A failure that the contract defines. Anything else that is thrown is a bug and becomes `internal`. */
export class ApiError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'ApiError';
  readonly code: Code;
  readonly status: number;
  readonly retry: Retry;
  readonly retryAfterSeconds?: number | undefined;

  /** @param message message for the caller; by default the code's meaning in the catalogue */
  constructor(code: Code, message?: string, options: ApiErrorOptions = {}) {
    const entry: CatalogueEntry = errorCatalogue[code];
    super(message ?? entry.meaning, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? entry.status;
    this.retry = options.isFinal ? 'never' : entry.retry;
    this.retryAfterSeconds = options.isFinal ? undefined : (options.retryAfterSeconds ?? entry.retryAfterSeconds);
  }
}

/**
 * Whether a thrown value is an `ApiError`, with one of these codes if any are given. `instanceof` would lose the
 * code's type.
 */
export function isApiError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is ApiError<Code> {
  return error instanceof ApiError && (codes.length === 0 || codes.includes(error.code as Code));
}

/** Whether a string is a code of the catalogue. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === 'string' && Object.hasOwn(errorCatalogue, word);
}

/**
 * The code for a value that breaks its schema: its own (`x-error-code`), or `invalid_request`.
 * @param pointer where the value stands in `{ body, params, query, headers }`, as `/body/identity/address`
 */
export function violationCode(operationId: OperationId, pointer: string): ErrorCode {
  const codes: Partial<Record<OperationId, Record<string, ErrorCode>>> = violationCodes;
  return codes[operationId]?.[pointer] ?? 'invalid_request';
}

/** Whether the contract lets an operation fail in this way. (express-openapi-validator does not look at answers from 500 up.) */
export function isDeclared(operationId: OperationId, error: { code: ErrorCode; status: number }): boolean {
  const statuses: Partial<Record<ErrorCode, readonly number[]>> = operationErrors[operationId];
  return statuses[error.code]?.includes(error.status) ?? false;
}

/** Where a relay explains its error codes, a section each. */
export const errorReferencePath = '/docs/errors';

/** The value of `Link` in a refusal (RFC 8288). */
export function helpLink(code: ErrorCode): string {
  return `<${errorReferencePath}#${code}>; rel="help"`;
}

/** A code with all that the contract says of it. */
export interface ExplainedError extends CatalogueEntry {
  code: ErrorCode;
  /** Operations that may answer with it. */
  operations: OperationId[];
}

/** Every error code, in the catalogue's order. */
export function explainedErrors(): ExplainedError[] {
  const operations = Object.entries(operationErrors) as [OperationId, object][];
  return (Object.entries(errorCatalogue) as [ErrorCode, CatalogueEntry][]).map(([code, entry]) => ({
    ...entry,
    code,
    operations: operations.filter(([, codes]) => code in codes).map(([operationId]) => operationId),
  }));
}
