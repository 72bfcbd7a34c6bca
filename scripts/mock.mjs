// npm run mock [-- --port N] [--contract agent]   serves the relay's contract, or the agent's, with Prism on loopback; without a port,
// on one that is free.
// Prints the URL alone on stdout once it listens; Prism's own log goes to stderr.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const listening = /Prism is listening on (http:\/\/[\d.:]+)/;

const files = { relay: '../generated/openapi.json', agent: '../generated/agent/openapi.json' };

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, contract: { type: 'string', default: 'relay' } },
});
if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535) {
  console.error(`mock: --port must be a number from 0 to 65535, not ${values.port}`);
  process.exit(2);
}

if (!Object.hasOwn(files, values.contract)) {
  console.error(`mock: --contract is ${Object.keys(files).join(' or ')}, not ${values.contract}`);
  process.exit(2);
}

const manifest = createRequire(import.meta.url).resolve('@stoplight/prism-cli/package.json');
const prism = join(dirname(manifest), 'dist/index.js');
const contract = fileURLToPath(new URL(files[values.contract], import.meta.url));
const child = spawn(
  process.execPath,
  [prism, 'mock', contract, '--host', '127.0.0.1', '--port', values.port, '--multiprocess', 'false'],
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
  if (url) console.log(url);
  else console.error(line);
});
child.on('error', (error) => {
  console.error(`mock: ${error.message}`);
  process.exitCode = 1;
});
child.on('exit', (code) => {
  process.exitCode = stopping ? 0 : (code ?? 1);
});
