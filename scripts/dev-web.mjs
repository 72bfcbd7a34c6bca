// `npm run dev:web`: the console with hot reload, in front of the mock, or of the relay that PORTAL_WEB_API names.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const scenario = process.argv[2] ?? 'busy';

/** The mock, ended with this program. */
async function startMock() {
  const mock = spawn(process.execPath, [`${root}scripts/mock.mjs`, '--scenario', scenario], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => mock.kill());
  mock.once('exit', (code) => process.exit(code ?? 1));
  const [url] = await once(createInterface({ input: mock.stdout }), 'line');
  return url;
}

process.env.PORTAL_WEB_API ??= await startMock();
const server = await createServer({ configFile: `${root}scripts/web.config.mjs` });
await server.listen();
console.log(`The console, against ${process.env.PORTAL_WEB_API}:`);
server.printUrls();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit());
