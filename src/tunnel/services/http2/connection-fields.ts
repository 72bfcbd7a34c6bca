/** Of one connection, and so without a meaning in HTTP/2 (RFC 9113 8.2.2). */
export const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
