// What tsc does not make of dist/: the reference's renderer, from its package, the SDK as one file for pages without a bundler, and the agent's
// dashboard for terminals and for browsers, with the packages that nothing else needs.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { licensesOf } from './licenses.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Redoc, with its licences, as it is but for the one picture that it would fetch from elsewhere: `/docs` works offline. */
function copyRenderer(folder) {
  const bundle = createRequire(import.meta.url).resolve('redoc/bundles/redoc.standalone.js');
  const nothing = 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==';
  const parts = readFileSync(bundle, 'utf8').split('https://cdn.redoc.ly/redoc/logo-mini.svg');
  if (parts.length !== 2) throw new Error(`redoc names its logo ${parts.length - 1} times, not once: look at it anew`);
  const script = parts.join(nothing);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}redoc.js`, script);
  writeFileSync(`${folder}redoc.js.gz`, gzipSync(script, { level: 9 }));
  copyFileSync(`${bundle}.LICENSE.txt`, `${folder}redoc.standalone.js.LICENSE.txt`);
}

async function bundleSdk(folder) {
  await build({
    entryPoints: [path('../dist/src/sdk/index.js')],
    outfile: `${folder}portal-sdk.js`,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    sourcemap: false,
    legalComments: 'linked',
    logLevel: 'warning',
  });
}

/** They need a package that is not installed. */
const withoutInkDevtools = {
  name: 'without-ink-devtools',
  setup({ onLoad }) {
    onLoad({ filter: /ink[\\/]build[\\/]devtools\.js$/ }, () => ({ contents: '' }));
  },
};

/** Ink draws nothing before its end where `CI` is set, also for the user who sits in front of it. */
const drawnWhereCiIsSet = {
  name: 'drawn-where-ci-is-set',
  setup({ onLoad }) {
    onLoad({ filter: /is-in-ci[\\/]index\.js$/ }, () => ({ contents: 'export default false;' }));
  },
};

/** Ink and React for one command would be much for those who never call it. */
async function bundleDashboard(folder) {
  const { metafile } = await build({
    entryPoints: [path('../src/dashboard/terminal/dashboard.tsx')],
    outfile: `${folder}dashboard.js`,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    jsx: 'automatic',
    minifySyntax: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [withoutInkDevtools, drawnWhereCiIsSet],
    // Some of its packages are CommonJS.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  writeFileSync(`${folder}dashboard.js.LICENSES.txt`, licensesOf(Object.keys(metafile.inputs)));
}

/** The agent's page: files whose names tell their content, so that a browser may keep them for good. */
async function bundlePage(folder) {
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: [path('../src/dashboard/web/main.tsx')],
    outdir: `${folder}assets`,
    entryNames: '[name]-[hash]',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    jsx: 'automatic',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const made = (ending) =>
    `assets/${Object.keys(metafile.outputs)
      .find((file) => file.endsWith(ending))
      .split('/')
      .pop()}`;
  const page = readFileSync(path('../src/dashboard/web/index.html'), 'utf8');
  writeFileSync(`${folder}index.html`, page.replace('STYLE', made('.css')).replace('SCRIPT', made('.js')));
  writeFileSync(`${folder}LICENSES.txt`, licensesOf(Object.keys(metafile.inputs)));
}

copyRenderer(path('../dist/src/relay/api/handlers/reference/'));
await bundleSdk(path('../dist/browser/'));
await bundleDashboard(path('../dist/src/dashboard/terminal/'));
await bundlePage(path('../dist/src/dashboard/web/'));
