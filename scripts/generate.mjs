// npm run generate             writes generated/, and the types of the SDKs in other languages, from openapi/
// npm run generate -- --check  fails when they are not what openapi/ gives
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { format } from 'prettier';
import { bundleContract, lintContract } from './generate/bundle.mjs';
import { checkContract } from './generate/check.mjs';
import { clientsDocument } from './generate/clients.mjs';
import { renderErrors } from './generate/errors.mjs';
import { renderGo } from './generate/sdks/go.mjs';
import { sdkModel } from './generate/sdks/model.mjs';
import { renderPython } from './generate/sdks/python.mjs';
import { renderRoutes } from './generate/routes.mjs';
import { renderTypes } from './generate/types.mjs';

const root = new URL('../', import.meta.url);
const notice = 'Generated from openapi/ by `npm run generate`. Do not edit.';

/** Contracts by their name in redocly.yaml: the folder of their files in generated/, and whether all error codes are theirs. */
const contracts = {
  portal: { folder: 'generated/', hasCatalogue: true },
  agent: { folder: 'generated/agent/', hasCatalogue: false },
};

/** @returns {Promise<Record<string, string>>} file name -> content */
async function render() {
  const files = await Promise.all(Object.entries(contracts).map(([name, how]) => renderContract(name, how)));
  return Object.assign({}, ...files);
}

async function renderContract(name, { folder, hasCatalogue }) {
  await lintContract(name);
  const { openapi, ...rest } = await bundleContract(name);
  const document = { openapi, 'x-generated': notice, ...rest };
  const problems = checkContract(document, { hasCatalogue });
  if (problems.length > 0) throw new Error(`the contract does not hold:\n  ${problems.join('\n  ')}`);
  const header = `// ${notice}\n\n`;
  const typescript = (text) => format(header + text, { parser: 'typescript', printWidth: 120, singleQuote: true });
  return {
    [`${folder}openapi.json`]: `${JSON.stringify(document, null, 2)}\n`,
    [`${folder}api.d.ts`]: header + (await renderTypes(document)),
    [`${folder}errors.ts`]: await typescript(renderErrors(document, { hasCatalogue })),
    [`${folder}routes.ts`]: await typescript(renderRoutes(document)),
    ...(hasCatalogue ? renderForClients(document) : {}),
  };
}

/** For generators of clients; and the SDKs in other languages, which are packages of their own, and carry their types with them. */
function renderForClients(document) {
  const model = sdkModel(document);
  return {
    'generated/openapi.clients.json': `${JSON.stringify(clientsDocument(document), null, 2)}\n`,
    'src/sdk-python/portal_sdk/contract.py': renderPython(model, notice),
    'src/sdk-go/contract.go': renderGo(model),
  };
}

async function stale(files) {
  const names = [];
  for (const [name, content] of Object.entries(files)) {
    const held = await readFile(new URL(name, root), 'utf8').catch(() => undefined);
    if (held !== content) names.push(name);
  }
  return names;
}

try {
  const files = await render();
  if (process.argv.includes('--check')) {
    const names = await stale(files);
    if (names.length > 0) throw new Error(`stale: ${names.join(', ')}; run \`npm run generate\``);
  } else {
    for (const { folder } of Object.values(contracts)) await mkdir(new URL(folder, root), { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeFile(new URL(name, root), content);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
