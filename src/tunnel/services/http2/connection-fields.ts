import type { IncomingHttpHeaders } from 'node:http2';

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

/** The end-to-end fields of a head or of trailers, as HTTP/1.1 has them: a field that came more than once in a line each. */
export function endToEndFields(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers)
    .filter(([name, value]) => !name.startsWith(':') && !connectionFields.has(name) && value !== undefined)
    .flatMap(([name, value]) => [value].flat().map((each): [string, string] => [name, String(each)]));
}
