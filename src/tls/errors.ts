export type TlsStreamErrorCode = 'ERR_TLS_PEER_ALERT' | 'ERR_TLS_TRUNCATED' | 'ERR_TLS_HANDSHAKE_TIMEOUT';

/** What ended a stream that was no fault in what the peer sent. */
export class TlsStreamError extends Error {
  override readonly name = 'TlsStreamError';

  /**
   * @param code `ERR_TLS_PEER_ALERT` the peer gave up; `ERR_TLS_TRUNCATED` its bytes ended without close_notify, so that
   * some may be missing; `ERR_TLS_HANDSHAKE_TIMEOUT`
   */
  constructor(
    readonly code: TlsStreamErrorCode,
    message: string,
  ) {
    super(message);
  }
}
