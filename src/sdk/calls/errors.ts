/** Failures that are not answers of the contract; those are `ApiError`. */

/** `clock`: this machine's clock and the relay's differ too much for anything to be proven. That passes once it is set. */
export type NetworkFailure = 'timeout' | 'unreachable' | 'certificate' | 'clock';

/** The relay could not be reached, did not answer in time, or did not prove who it is. `cause` is what the system said. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';

  constructor(
    readonly reason: NetworkFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The answer is outside the contract: not an envelope, too large, a field missing, a redirect. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';

  /** @param status HTTP status of the answer, where there was one */
  constructor(
    message: string,
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The relay asked for a signature under something that is not a sign-in to itself. Nothing was signed. */
export class SigningRefusedError extends Error {
  override readonly name = 'SigningRefusedError';
}

/** The caller gave something unusable: a relay URL, a name, an identity file, a target. The message is one clear line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * What a failed connection or `fetch` says about the relay. An abort by the caller passes through as it is.
 * @param error as thrown; its chain of causes is searched for a system or TLS code
 */
export function asNetworkError(error: unknown, relay: string): Error {
  if (error instanceof NetworkError || error instanceof AnswerError) return error;
  // As `fetch` wraps what its dispatcher threw.
  if (error instanceof Error && (error.cause instanceof NetworkError || error.cause instanceof UsageError)) {
    return error.cause;
  }
  const code = systemCode(error);
  if (code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED') {
    const [when, who] =
      code === 'CERT_NOT_YET_VALID' ? ['not valid yet', ''] : ['expired', ', or the relay needs a new one'];
    const message = `the certificate of ${relay} is ${when} by the clock of this machine: set the clock${who} (${code})`;
    return new NetworkError('clock', message, { cause: error });
  }
  if (code !== undefined && isCertificateCode(code)) {
    return new NetworkError('certificate', `${relay} has a certificate that cannot be trusted (${code})`, {
      cause: error,
    });
  }
  const timedOut = code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT';
  return new NetworkError(
    timedOut ? 'timeout' : 'unreachable',
    `cannot reach ${relay}${code === undefined ? '' : ` (${code})`}`,
    {
      cause: error,
    },
  );
}

/** The first `code` in an error, in the errors that it joins, or in its causes. */
export function systemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    if (at instanceof AggregateError) return systemCode(at.errors[0]);
  }
  return undefined;
}

/** Whether the process (EMFILE) or the machine (ENFILE) has no file descriptor left. */
export function isOutOfFiles(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(systemCode(error) ?? '');
}

/** Codes of X509 verification as Node names them, and its own for a name that does not fit. */
function isCertificateCode(code: string): boolean {
  return (
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ||
    /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET|VERIFY)_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/.test(
      code,
    )
  );
}
