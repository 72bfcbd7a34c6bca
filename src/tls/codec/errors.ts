import { type AlertName } from './constants.js';

export type TlsErrorCode =
  /** The peer sent a fatal alert, or closed during the handshake; see `alert`. */
  | 'ERR_TLS_ALERT_RECEIVED'
  /** The transport ended without close_notify: the data may be truncated by an attacker (RFC 8446 6.1). */
  | 'ERR_TLS_TRUNCATED'
  /** The transport was closed during the connection. */
  | 'ERR_TLS_TRANSPORT_CLOSED'
  /** The handshake did not finish in time. */
  | 'ERR_TLS_HANDSHAKE_TIMEOUT'
  /** The call needs a completed handshake or an open write side. */
  | 'ERR_TLS_INVALID_STATE';

/** An error that ends a connection and is not a TLS protocol error, which would be `TlsAlertError`. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
  readonly code: TlsErrorCode;
  /** The received alert, for `ERR_TLS_ALERT_RECEIVED` with a known alert. */
  readonly alert: AlertName | undefined;

  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions & { alert?: AlertName | undefined }) {
    super(message, options);
    this.code = code;
    this.alert = options?.alert;
  }
}
