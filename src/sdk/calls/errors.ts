/** Failures other than error responses of the contract, which are `ApiError`. */

/** `clock`: the clocks of this machine and the relay differ too much to verify anything. Setting the clock helps. */
export type NetworkFailure = 'timeout' | 'unreachable' | 'certificate' | 'clock';

/**
 * The relay could not be reached, did not respond in time, or failed certificate verification. `cause` is the
 * system's error.
 */
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

/** The response violates the contract: not an envelope, too large, a missing field, a redirect. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';

  /** @param status HTTP status of the response, if there was one */
  constructor(
    message: string,
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The relay asked to sign something other than a sign-in to itself. Nothing was signed. */
export class SigningRefusedError extends Error {
  override readonly name = 'SigningRefusedError';
}

/**
 * The caller passed an invalid value: a relay URL, a name, an identity file, a target. The message is one clear line.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Maps the error of a connection or `fetch` to a NetworkError. An abort by the caller passes through unchanged.
 * @param error the thrown error; its causes are searched for a system or TLS code
 */
export function asNetworkError(error: unknown, relay: string): Error {
  if (error instanceof NetworkError || error instanceof AnswerError) return error;
  // `fetch` wraps the error of its dispatcher.
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

/** The first `code` in an error, its aggregated errors, or its causes. */
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

/** Node's codes for X.509 verification and for a name mismatch. */
function isCertificateCode(code: string): boolean {
  return (
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ||
    /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET|VERIFY)_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/.test(
      code,
    )
  );
}
