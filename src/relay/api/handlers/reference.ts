import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { OpenApiDocument } from '../../../contract/index.js';
import type { Handlers } from '../app.js';
import { errorPage, errorPagePolicy } from './error-page.js';
import { immutable, send, shortLived } from './sending.js';

/** The renderer, put there by the build. */
const scriptFile = new URL('./reference/redoc.js', import.meta.url);
const compressedFile = new URL('./reference/redoc.js.gz', import.meta.url);

/**
 * Only the relay's own script and data. Redoc writes inline styles and runs its search in a worker made from a blob.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  'img-src data:',
  "connect-src 'self'",
  'worker-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Script {
  plain: Buffer;
  compressed: Buffer;
  version: string;
}

/** `/openapi.json`, `/docs` and its script: the contract for programs and people. */
export function referenceHandlers(contract: OpenApiDocument): Handlers {
  const document = Buffer.from(JSON.stringify(contract));
  let held: Script | undefined;
  let errors: Buffer | undefined;
  // Read when first asked for: a megabyte that most relays never need.
  const script = () => (held ??= readScript());
  return {
    getOpenapiDocument(request, response) {
      response.set('Content-Type', 'application/json; charset=utf-8');
      send(request, response, document, shortLived);
    },

    getReference(request, response) {
      response.set('Content-Type', 'text/html; charset=utf-8');
      response.set('Content-Security-Policy', policy);
      response.set('Referrer-Policy', 'no-referrer');
      send(request, response, Buffer.from(page(contract.info.title, script().version)), shortLived);
    },

    getErrorReference(request, response) {
      response.set('Content-Type', 'text/html; charset=utf-8');
      response.set('Content-Security-Policy', errorPagePolicy);
      response.set('Referrer-Policy', 'no-referrer');
      send(request, response, (errors ??= Buffer.from(errorPage())), shortLived);
    },

    getReferenceScript(request, response) {
      const compressed = request.acceptsEncodings('gzip', 'identity') === 'gzip';
      response.set('Content-Type', 'text/javascript; charset=utf-8');
      response.set('Vary', 'Accept-Encoding');
      if (compressed) response.set('Content-Encoding', 'gzip');
      send(request, response, compressed ? script().compressed : script().plain, immutable);
    },
  };
}

function readScript(): Script {
  const plain = readFileSync(scriptFile);
  const version = createHash('sha256').update(plain).digest('hex').slice(0, 16);
  return { plain, compressed: readFileSync(compressedFile), version };
}

function page(title: string, version: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>body { margin: 0 }</style>
<redoc spec-url="/openapi.json"></redoc>
<script src="/docs/reference.js?v=${version}"></script>
`;
}
