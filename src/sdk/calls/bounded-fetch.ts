import { AnswerError } from './errors.js';

/** Any function that behaves like `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Statuses whose responses have no body (Fetch, 2.2.3). */
const bodiless = new Set([101, 103, 204, 205, 304]);

/**
 * Wraps a `fetch` for openapi-fetch: reads a response up to a size, and refuses redirects, which would send the
 * lease's token to another host.
 * @throws AnswerError when a response is a redirect or larger than `maxBytes`
 */
export function boundedFetch(fetch: Fetch, maxBytes: number): (request: Request) => Promise<Response> {
  return async (request) => {
    const response = await fetch(request.url, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? null : await request.text(),
      signal: request.signal,
      redirect: 'manual',
    });
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      await response.body?.cancel();
      throw new AnswerError('the response is a redirect', response.status);
    }
    const body = await readBounded(response, maxBytes);
    const headers = new Headers({ 'Content-Length': String(body.length) });
    for (const name of ['Content-Type', 'Retry-After', 'Date']) {
      const value = response.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    return new Response(bodiless.has(response.status) ? null : body, { status: response.status, headers });
  };
}

/** @throws AnswerError when the body is larger than `maxBytes` */
export async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (response.body !== null) {
    // Not every browser supports async iteration of a stream.
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > maxBytes) {
        reader.cancel().catch(() => undefined);
        throw new AnswerError(`the response is larger than ${maxBytes} bytes`, response.status);
      }
      chunks.push(value);
    }
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
