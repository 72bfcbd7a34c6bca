import { setImmediate } from 'node:timers/promises';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type Field, valueOf } from '../services/http/message/fields.js';
import { isSecretField, mask, maskJson, maskPairs, maskTarget } from './masking.js';
import type { Recorded, RecordedBody } from './recorder.js';

// What the page of the inspector and HAR files show of a request. Secrets are masked, unless they are asked for.

/** Most bytes of a decoded body that are shown. */
const maxShownBytes = 1_048_576;

export interface ExchangeSummary {
  id: number;
  /** Milliseconds since the epoch. */
  startedAt: number;
  method: string;
  target: string;
  status?: number;
  tookMs?: number;
  type?: string;
  bytes: number;
  from?: string;
  error?: string;
  repeats?: number;
  messages: number;
}

export function summaryOf(recorded: Recorded): ExchangeSummary {
  const { id, startedAt, request, response, tookMs, responseBody, address, error, repeats, messages } = recorded;
  const type = response && valueOf(response.fields, 'content-type');
  return {
    id,
    startedAt,
    method: request.method,
    target: maskTarget(asText(request.target)),
    bytes: responseBody.length,
    messages: messages.length,
    ...(response && { status: response.status }),
    ...(tookMs !== undefined && { tookMs }),
    ...(type !== undefined && { type: asText(type) }),
    ...(address !== undefined && { from: address }),
    ...(error !== undefined && { error }),
    ...(repeats !== undefined && { repeats }),
  };
}

export type ExchangeDetail = ReturnType<typeof detailOf>;

export function detailOf(recorded: Recorded, showsSecrets: boolean) {
  const { request, response, added, requestBody, responseBody, messages, waitedMs } = recorded;
  return {
    ...summaryOf(recorded),
    target: showsSecrets ? asText(request.target) : maskTarget(asText(request.target)),
    waitedMs,
    request: {
      fields: shownFields([...request.fields, ...added], showsSecrets),
      body: bodyOf(requestBody, request.fields, showsSecrets),
    },
    response: response && {
      status: response.status,
      reason: asText(response.reason),
      isLocal: response.isLocal,
      fields: shownFields(response.fields, showsSecrets),
      body: bodyOf(responseBody, response.fields, showsSecrets),
    },
    messages,
  };
}

/** @returns pairs of name and value */
function shownFields(fields: readonly Field[], showsSecrets: boolean): [string, string][] {
  return fields.map(({ key, name, value }) => [
    name,
    !showsSecrets && isSecretField(key) ? `${mask} (${value.length} characters)` : asText(value),
  ]);
}

export interface ShownBody {
  type: string;
  /** As it came, without chunks. */
  length: number;
  /** Only the beginning was kept. */
  isCut: boolean;
  text?: string;
  /** A picture, or other bytes. */
  base64?: string;
}

function bodyOf(body: RecordedBody, fields: readonly Field[], showsSecrets: boolean): ShownBody {
  const type = asText(valueOf(fields, 'content-type') ?? '').toLowerCase();
  const shown = { type, length: body.length, isCut: body.kept < body.length };
  if (body.length === 0) return shown;
  const bytes = decoded(Buffer.concat(body.pieces), valueOf(fields, 'content-encoding'));
  if (!bytes) return { ...shown, text: `(${body.length} bytes that cannot be decoded)` };
  if (type.startsWith('image/') && !type.startsWith('image/svg')) return { ...shown, base64: bytes.toString('base64') };
  if (!isText(type, bytes)) return { ...shown, base64: bytes.subarray(0, 65_536).toString('base64') };
  const text = bytes.toString();
  if (showsSecrets) return { ...shown, text };
  if (type.includes('json')) return { ...shown, text: maskJson(text) };
  return { ...shown, text: type.includes('x-www-form-urlencoded') ? maskPairs(text) : text };
}

/** @returns undefined when it is cut or damaged */
function decoded(bytes: Buffer, coding = 'identity'): Buffer | undefined {
  const options = { maxOutputLength: maxShownBytes };
  try {
    switch (coding.toLowerCase()) {
      case 'gzip':
        return gunzipSync(bytes, options);
      case 'deflate':
        return inflateSync(bytes, options);
      case 'br':
        return brotliDecompressSync(bytes, options);
      case 'identity':
        return bytes;
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

function isText(type: string, bytes: Buffer): boolean {
  if (
    /^(?:text\/|application\/(?:json|javascript|xml|x-www-form-urlencoded|x-ndjson|graphql))|[+/](?:json|xml)\b/.test(
      type,
    )
  )
    return true;
  return type === '' && !bytes.subarray(0, 1_024).includes(0);
}

/** A shell command that sends the request again, with the secrets hidden that the page hides. */
export function curlOf(recorded: Recorded, showsSecrets: boolean): string {
  const { request, hostname, requestBody } = recorded;
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const host = valueOf(request.fields, 'host') ?? hostname ?? 'localhost';
  const target = showsSecrets ? asText(request.target) : maskTarget(asText(request.target));
  const parts = [`curl ${quote(`https://${asText(host)}${target}`)}`];
  if (request.method !== 'GET') parts.push(`-X ${quote(request.method)}`);
  for (const [name, value] of shownFields(request.fields, showsSecrets))
    if (!/^(?:host|content-length|connection|transfer-encoding|accept-encoding)$/i.test(name))
      parts.push(`-H ${quote(`${name}: ${value}`)}`);
  const { text } = bodyOf(requestBody, request.fields, showsSecrets);
  if (text !== undefined) parts.push(`--data-raw ${quote(text)}`);
  return parts.join(' \\\n  ');
}

/**
 * HTTP Archive 1.2, in pieces of one request each: decoding all bodies at once would hold up the tunnel's visitors.
 */
export async function* harOf(all: readonly Recorded[], showsSecrets: boolean): AsyncGenerator<string> {
  yield `{"log":{"version":"1.2","creator":{"name":"portal","version":"1"},"entries":[`;
  for (const [index, recorded] of all.entries()) {
    await setImmediate();
    yield `${index === 0 ? '' : ','}${JSON.stringify(harEntryOf(recorded, showsSecrets))}`;
  }
  yield ']}}';
}

function harEntryOf(recorded: Recorded, showsSecrets: boolean) {
  const { request, response } = detailOf(recorded, showsSecrets);
  const host = valueOf(recorded.request.fields, 'host') ?? recorded.hostname ?? 'localhost';
  const target = showsSecrets ? asText(recorded.request.target) : maskTarget(asText(recorded.request.target));
  const pairs = (fields: [string, string][]) => fields.map(([name, value]) => ({ name, value }));
  const waited = recorded.waitedMs ?? 0;
  const took = recorded.tookMs ?? waited;
  return {
    startedDateTime: new Date(recorded.startedAt).toISOString(),
    time: took,
    request: {
      method: recorded.request.method,
      url: `https://${asText(host)}${target}`,
      httpVersion: `HTTP/1.${recorded.request.minor}`,
      cookies: [],
      headers: pairs(request.fields),
      queryString: [...new URLSearchParams(target.split('?')[1] ?? '')].map(([name, value]) => ({ name, value })),
      headersSize: -1,
      bodySize: request.body.length,
      ...(request.body.text !== undefined && {
        postData: { mimeType: request.body.type, text: request.body.text },
      }),
    },
    response: {
      status: response?.status ?? 0,
      statusText: response?.reason ?? '',
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: pairs(response?.fields ?? []),
      content: {
        size: response?.body.length ?? 0,
        mimeType: response?.body.type ?? '',
        ...(response?.body.text !== undefined && { text: response.body.text }),
        ...(response?.body.base64 !== undefined && { text: response.body.base64, encoding: 'base64' }),
      },
      redirectURL: '',
      headersSize: -1,
      bodySize: response?.body.length ?? -1,
    },
    cache: {},
    timings: { send: 0, wait: waited, receive: Math.max(0, took - waited) },
  };
}

/** The UTF-8 text of bytes that a head has as characters. */
function asText(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
