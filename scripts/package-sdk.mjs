// Makes dist/portal-sdk/: the TypeScript SDK as a package of its own, of what its entries reach in dist/ and nothing else.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const target = join(dist, 'portal-sdk');
/** Name of an export: its module. */
const entries = { '.': 'src/sdk/index', './node': 'src/sdk/node', './tunnel': 'src/tunnel/index' };
const main = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const available = { ...main.dependencies, ...main.optionalDependencies };

/** Everything that modules and their types import, from one another and from packages. */
function reach(files) {
  const found = new Set();
  const packages = new Set();
  const visit = (file) => {
    if (found.has(file)) return;
    found.add(file);
    const text = readFileSync(file, 'utf8');
    const imported = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
    // A worker's file.
    for (const [, path] of text.matchAll(/new URL\('(\.[^']+)', import\.meta\.url\)/g)) imported.push(path);
    for (const name of imported) {
      if (name.startsWith('.')) visitModule(join(dirname(file), name), file.endsWith('.d.ts'));
      else if (!isBuiltin(name)) packages.add(packageOf(name));
    }
  };
  const visitModule = (file, isTypes) => {
    const types = file.replace(/\.js$/, '.d.ts');
    if (existsSync(types)) visit(types);
    if (!isTypes && existsSync(file)) visit(file);
    if (!existsSync(types) && !existsSync(file))
      throw new Error(`${relative(root, file)} is imported, and is not there`);
  };
  for (const file of files) visitModule(join(dist, `${file}.js`), false);
  return { files: [...found], packages: [...packages].sort() };
}

function packageOf(name) {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

const { files, packages } = reach(Object.values(entries));
const unknown = packages.filter((name) => !(name in available));
if (unknown.length > 0) throw new Error(`the SDK imports what is no dependency: ${unknown.join(', ')}`);

rmSync(target, { recursive: true, force: true });
const copy = (from, to) => {
  mkdirSync(dirname(join(target, to)), { recursive: true });
  copyFileSync(from, join(target, to));
};
for (const file of files) copy(file, relative(dist, file));
for (const file of ['portal-sdk.js', 'portal-sdk.js.LEGAL.txt']) copy(join(dist, 'browser', file), `browser/${file}`);
for (const file of ['openapi.json', 'openapi.clients.json']) copy(join(root, 'generated', file), file);
copy(join(root, 'src/sdk/README.md'), 'README.md');
copy(join(root, 'LICENSE'), 'LICENSE');
const exported = ([name, file]) => [name, { types: `./${file}.d.ts`, default: `./${file}.js` }];
const manifest = {
  name: 'portal-sdk',
  version: main.version,
  description:
    'The client of Portal relays: a service on your machine on a public HTTPS name, through a relay that does not read its traffic',
  license: main.license,
  type: 'module',
  engines: main.engines,
  exports: {
    ...Object.fromEntries(Object.entries(entries).map(exported)),
    './browser': { types: './src/sdk/index.d.ts', default: './browser/portal-sdk.js' },
    './openapi.json': './openapi.json',
    './openapi.clients.json': './openapi.clients.json',
    './package.json': './package.json',
  },
  dependencies: Object.fromEntries(packages.map((name) => [name, available[name]])),
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
