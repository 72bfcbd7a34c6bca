// npm run generate             writes generated/ from openapi/
// npm run generate -- --check  fails when generated/ is not what openapi/ gives
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { format } from 'prettier';
import { bundleContract, lintContract } from './generate/bundle.mjs';
import { checkContract } from './generate/check.mjs';
import { renderErrors } from './generate/errors.mjs';
import { renderRoutes } from './generate/routes.mjs';
import { renderTypes } from './generate/types.mjs';

const output = new URL('../generated/', import.meta.url);
const notice = 'Generated from openapi/ by `npm run generate`. Do not edit.';

/** @returns {Promise<Record<string, string>>} file name in generated/ -> content */
async function render() {
  await lintContract();
  const { openapi, ...rest } = await bundleContract();
  const document = { openapi, 'x-generated': notice, ...rest };
  const problems = checkContract(document);
  if (problems.length > 0) throw new Error(`the contract does not hold:\n  ${problems.join('\n  ')}`);
  const header = `// ${notice}\n\n`;
  const typescript = (text) => format(header + text, { parser: 'typescript', printWidth: 120, singleQuote: true });
  return {
    'openapi.json': `${JSON.stringify(document, null, 2)}\n`,
    'api.d.ts': header + (await renderTypes(document)),
    'errors.ts': await typescript(renderErrors(document)),
    'routes.ts': await typescript(renderRoutes(document)),
  };
}

async function stale(files) {
  const names = [];
  for (const [name, content] of Object.entries(files)) {
    const held = await readFile(new URL(name, output), 'utf8').catch(() => undefined);
    if (held !== content) names.push(`generated/${name}`);
  }
  return names;
}

try {
  const files = await render();
  if (process.argv.includes('--check')) {
    const names = await stale(files);
    if (names.length > 0) throw new Error(`stale: ${names.join(', ')}; run \`npm run generate\``);
  } else {
    await mkdir(output, { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeFile(new URL(name, output), content);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
