import { type AlertName, alertCodes, contentType } from './constants.js';

/**
 * An error of the peer or of this side that ends the connection with a fatal alert (RFC 8446 6.2). `alert` is the
 * alert's registered name, `code` its number.
 */
export class TlsAlertError extends Error {
  override readonly name = 'TlsAlertError';
  readonly alert: AlertName;
  readonly code: number;

  constructor(alert: AlertName, message: string, options?: ErrorOptions) {
    super(`${message} (${alert})`, options);
    this.alert = alert;
    this.code = alertCodes[alert];
  }
}

const fatal = 2;
const warning = 1;

/** The two bytes of an alert. TLS 1.3 sends every alert but the closing ones as fatal (RFC 8446 6). */
export function alertBody(name: AlertName): Buffer {
  const level = name === 'close_notify' || name === 'user_canceled' ? warning : fatal;
  return Buffer.from([level, alertCodes[name]]);
}

/** A whole unprotected alert record, as sent before any key is in use. */
export function plaintextAlertRecord(name: AlertName): Buffer {
  return Buffer.concat([Buffer.from([contentType.alert, 3, 3, 0, 2]), alertBody(name)]);
}

/** The registered name of an alert code, or `undefined` for an unknown one. */
export function alertName(code: number): AlertName | undefined {
  for (const [name, value] of Object.entries(alertCodes)) if (value === code) return name as AlertName;
  return undefined;
}
