import { contentType } from './constants.js';

/** Alert descriptions (RFC 8446 6). */
export const alerts = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const;

export type AlertName = keyof typeof alerts;

/** A fault of the peer (or, `internal_error`, of ours) that ends the connection with that alert. */
export class TlsAlertError extends Error {
  override readonly name = 'TlsAlertError';
  readonly code: number;

  constructor(
    readonly alert: AlertName,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = alerts[alert];
  }
}

/** A fatal alert before there are keys: a whole record of 7 bytes. */
export function plaintextAlertRecord(name: AlertName): Buffer {
  return Buffer.from([contentType.alert, 3, 3, 0, 2, 2, alerts[name]]);
}
