// npm run mock [-- --port N] [--contract agent]   serves the relay's contract, or the agent's, with Prism on loopback; without a port,
// on one that is free.
// --scenario NAME   puts a relay's state before Prism's examples (scripts/mock/); --any-origin lets pages of any origin call all of it.
// Prints the URL alone on stdout once it listens; Prism's own log goes to stderr.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createLayer } from './mock/layer.mjs';
import { scenarios } from './mock/scenarios.mjs';

const listening = /Prism is listening on (http:\/\/[\d.:]+)/;

const files = { relay: '../generated/openapi.json', agent: '../generated/agent/openapi.json' };

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    contract: { type: 'string', default: 'relay' },
    scenario: { type: 'string' },
    'any-origin': { type: 'boolean', default: false },
  },
});
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535) {
  console.error(`mock: --port must be a number from 0 to 65535, not ${values.port}`);
  process.exit(2);
}

if (!Object.hasOwn(files, values.contract)) {
  console.error(`mock: --contract is ${Object.keys(files).join(' or ')}, not ${values.contract}`);
  process.exit(2);
}

const { scenario } = values;
if (scenario !== undefined && (!Object.hasOwn(scenarios, scenario) || values.contract !== 'relay')) {
  const names = Object.entries(scenarios).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  console.error(`mock: the scenarios, of the relay's contract, are\n${names.join('\n')}`);
  process.exit(2);
}

const manifest = createRequire(import.meta.url).resolve('@stoplight/prism-cli/package.json');
const prism = join(dirname(manifest), 'dist/index.js');
const contract = fileURLToPath(new URL(files[values.contract], import.meta.url));
const child = spawn(
  process.execPath,
  [
    prism,
    'mock',
    contract,
    '--host',
    '127.0.0.1',
    '--port',
    scenario === undefined ? values.port : '0',
    '--multiprocess',
    'false',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);

let stopping = false;
function stop() {
  stopping = true;
  child.kill('SIGTERM');
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

createInterface({ input: child.stdout }).on('line', (line) => {
  const url = listening.exec(line)?.[1];
  if (url === undefined) console.error(line);
  else if (scenario === undefined) console.log(url);
  else void listen(url);
});

/** The state before Prism. */
async function listen(prism) {
  const document = JSON.parse(readFileSync(contract, 'utf8'));
  const layer = createLayer({ document, prism, scenario, anyOrigin: values['any-origin'] });
  layer.on('error', (error) => {
    console.error(`mock: ${error.message}`);
    process.exitCode = 1;
    stop();
  });
  layer.listen(Number(values.port), '127.0.0.1');
  await once(layer, 'listening');
  child.once('exit', () => {
    layer.closeAllConnections();
    layer.close();
  });
  console.log(`http://127.0.0.1:${layer.address().port}`);
}
child.on('error', (error) => {
  console.error(`mock: ${error.message}`);
  process.exitCode = 1;
});
child.on('exit', (code) => {
  process.exitCode = stopping ? 0 : (code ?? 1);
});
