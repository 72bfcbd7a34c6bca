import type { Handlers } from '../app.js';
import { BuiltFiles } from './built-files.js';
import { shortLived } from './sending.js';

/** The site, put there by the build. */
const folder = new URL('./documentation/', import.meta.url);

/** Own script alone. The pictures bring their style with them. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `/docs/start` and the other pages of the documentation. */
export function documentationHandlers(): Handlers {
  const files = new BuiltFiles(folder);
  return {
    getDocumentationPage(request, response) {
      const name = String(request.params['page']);
      response.set({ 'Content-Security-Policy': policy, 'Referrer-Policy': 'no-referrer' });
      files.send(request, response, name.includes('.') ? name : `${name}.html`, shortLived);
    },
  };
}
