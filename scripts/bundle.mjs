// What tsc does not make of dist/: the reference's renderer, from its package, and the SDK as one file for pages without a bundler.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

copyRenderer(path('../dist/src/relay/api/handlers/reference/'));
await bundleSdk(path('../dist/browser/'));

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
