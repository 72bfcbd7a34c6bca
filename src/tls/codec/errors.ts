import { type AlertName } from './constants.js';

export type TlsErrorCode =
  /** The peer sent a fatal alert, or closed during the handshake; see `alert`. */
  | 'ERR_TLS_ALERT_RECEIVED'
  /** The transport ended without close_notify: what was read may be cut short by an attacker (RFC 8446 6.1). */
  | 'ERR_TLS_TRUNCATED'
  /** The transport was closed under a connection in use. */
  | 'ERR_TLS_TRANSPORT_CLOSED'
  /** The handshake did not finish in time. */
  | 'ERR_TLS_HANDSHAKE_TIMEOUT'
  /** The call needs a finished handshake, or an open writing side. */
  | 'ERR_TLS_INVALID_STATE';

/** The end of a connection that no fault in TLS itself explains; those are `TlsAlertError`. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
  readonly code: TlsErrorCode;
  /** The alert received, for `ERR_TLS_ALERT_RECEIVED` with an alert we know by name. */
  readonly alert: AlertName | undefined;

  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions & { alert?: AlertName | undefined }) {
    super(message, options);
    this.code = code;
    this.alert = options?.alert;
  }
}
