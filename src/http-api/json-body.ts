import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import getRawBody from 'raw-body';
import { ApiError } from '../contract/index.js';

const jsonInUtf8 = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * Reads a JSON body into `request.body`. Unlike express.json, it refuses an oversized body at once instead of reading
 * it to its end, and refuses other media types instead of ignoring them.
 * @param limit in bytes
 */
export function jsonBody(limit: number): RequestHandler {
  return async (request, _response, next) => {
    if (hasBody(request)) request.body = parse(await read(request, limit));
    next();
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > 0 || 'transfer-encoding' in headers;
}

async function read(request: IncomingMessage, limit: number): Promise<string> {
  const { headers } = request;
  if (!jsonInUtf8.test(headers['content-type'] ?? '') || (headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new ApiError('invalid_request', 'the body must be application/json in UTF-8, not compressed', {
      status: 415,
    });
  }
  try {
    const length = headers['content-length'];
    return await getRawBody(request, { limit, encoding: 'utf8', ...(length !== undefined && { length }) });
  } catch (cause) {
    if ((cause as { status?: number }).status !== 413)
      throw new ApiError('invalid_request', 'the body ended early', { cause });
    throw new ApiError('invalid_request', `the body is longer than ${limit} bytes`, { status: 413, cause });
  }
}

/** @throws ApiError `invalid_json` */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('invalid_json', 'the body is not JSON', { cause });
  }
}
