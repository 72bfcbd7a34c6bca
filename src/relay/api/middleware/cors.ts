import type { RequestHandler } from 'express';
import { type OpenApiDocument, listOperations } from '../../../contract/index.js';
import { portalHeaders } from '../../../protocol/headers.js';

/** How long a browser may cache a preflight response. */
const preflightMaxAgeSeconds = 600;

/** Response headers that a page may read. `Date` is the clock behind `expires_at`. */
const exposed = 'Retry-After, Date, Link';
const allowedHeaders = `Content-Type, ${portalHeaders.accessToken}`;

/**
 * CORS for the operations that the contract marks with `x-cors`. They use no credential that a browser sends by
 * itself, so credentials are not allowed (Fetch 3.3) and every origin is.
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
