import { fileURLToPath } from 'node:url';
import express, { type Handler } from 'express';

/** What `npm run build` makes of src/dashboard/web. */
const folder = fileURLToPath(new URL('../../dashboard/web/', import.meta.url));

/** What is looked for there. */
export const pagePaths = ['/', '/assets/:file', '/LICENSES.txt'];

/** Only the page's own files, and pictures of bodies that it shows; nobody frames it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The dashboard for browsers, at `/`. It holds nothing that is secret. */
export function dashboardPage(): Handler {
  return express.static(folder, {
    redirect: false,
    dotfiles: 'ignore',
    setHeaders(response, path) {
      response.setHeader('Content-Security-Policy', policy);
      response.setHeader('Referrer-Policy', 'no-referrer');
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
      response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
      // Names of assets tell their content.
      const isAsset = path.startsWith(`${folder}assets`);
      response.setHeader('Cache-Control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
