import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { licensesOf } from './licenses.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Where the API is, for `npm run dev:web`: a mock, or a relay. */
const api = process.env.PORTAL_WEB_API;
const target = { target: api, changeOrigin: true, secure: false, headers: { origin: api } };

/** The licences of what is bundled stand beside the bundle. */
const licenses = {
  name: 'licenses',
  generateBundle(_options, bundle) {
    const files = Object.values(bundle).flatMap(({ modules = {} }) =>
      Object.keys(modules).map((id) => id.replace('\0', '')),
    );
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: licensesOf(files) });
  },
};

export default defineConfig({
  root: path('../src/web'),
  // Relative to `/admin`, so that the console works under the path of a proxy.
  base: './',
  experimental: {
    renderBuiltUrl: (file, { hostType }) => (hostType === 'html' ? `admin/${file}` : { relative: true }),
  },
  plugins: [react(), licenses],
  build: {
    outDir: path('../dist/src/relay/api/handlers/console'),
    emptyOutDir: true,
    target: 'es2023',
    // The policy of the page allows no data in place of files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: '127.0.0.1', proxy: api === undefined ? {} : { '^/(admin/|sdk/|docs/|healthz|openapi)': target } },
});
