import type { RequestHandler } from 'express';
import { type OpenApiDocument, listOperations } from '../../../contract/index.js';
import { portalHeaders } from '../../../protocol/headers.js';

/** How long a browser may go by the answer to a preflight. */
const preflightMaxAgeSeconds = 600;

/** What an answer may show to a page besides its body. `Date` is the clock that `expires_at` goes by. */
const exposed = 'Retry-After, Date';
const allowedHeaders = `Content-Type, ${portalHeaders.accessToken}`;

/**
 * Lets pages of any origin call the operations that the contract marks with `x-cors`, and no other. They take no credential that a
 * browser would send by itself, so none is allowed (Fetch 3.3), and any origin is as good as another.
 */
export function allowOrigins(contract: OpenApiDocument): RequestHandler {
  const methods = new Map<string, string>();
  for (const { method, path } of listOperations(contract)) {
    const marked = (contract.paths[path]?.[method] as { 'x-cors'?: boolean })['x-cors'] === true;
    if (!marked) continue;
    if (path.includes('{')) throw new Error(`x-cors is not for a path with parameters: ${path}`);
    methods.set(path, [...(methods.get(path)?.split(', ') ?? []), method.toUpperCase()].join(', '));
  }
  return (request, response, next) => {
    const allowed = methods.get(request.path);
    if (allowed === undefined) return next();
    response.set('Access-Control-Allow-Origin', '*');
    response.set('Access-Control-Expose-Headers', exposed);
    const isPreflight =
      request.method === 'OPTIONS' && request.get('origin') && request.get('access-control-request-method');
    if (!isPreflight) return next();
    response.set('Access-Control-Allow-Methods', allowed);
    response.set('Access-Control-Allow-Headers', allowedHeaders);
    response.set('Access-Control-Max-Age', String(preflightMaxAgeSeconds));
    response.status(204).end();
  };
}
