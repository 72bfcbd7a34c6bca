/**
 * `npm start`: a relay on loopback with a demo service that is already exposed through it, all in one process. Its
 * state (identity, development CA, leases) stays in `.portal-demo/` from one start to the next.
 */
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readRelayConfig } from '../src/relay/config/config.js';
import { createLogger } from '../src/util/logger.js';
import { startRelay } from '../src/relay/relay-server.js';
import { expose } from '../src/tunnel/index.js';
import { createDemoService } from './demo-service.js';

if (process.argv.length > 2) {
  process.stderr.write(
    'npm start takes no arguments: it runs the demo. For a relay or tunnel of your own: npm run portal -- --help\n',
  );
  process.exit(2);
}
const stateDir = process.env['PORTAL_DEMO_DIR'] ?? fileURLToPath(new URL('../../.portal-demo', import.meta.url));
const [publicPort, apiPort] = await Promise.all([freePort(8443), freePort(4017)]);
const relayUrl = `https://portal.localhost:${publicPort}`;
const flags = ['--portal-url', relayUrl, '--state-dir', stateDir, '--host', '127.0.0.1'];
const ports = ['--sni-port', String(publicPort), '--api-port', String(apiPort)];
const { LOG_LEVEL = 'warn', DATA_PLANE, DATA_WORKERS } = process.env;
const config = readRelayConfig([...flags, ...ports, '--log-level', LOG_LEVEL], { DATA_PLANE, DATA_WORKERS });
const relay = await startRelay(config, createLogger(config.logLevel));

const service = createDemoService();
service.listen(0, '127.0.0.1');
await new Promise((resolve) => service.once('listening', resolve));

const caFile = relay.developmentCaFile as string;
const tunnel = expose({
  target: `127.0.0.1:${(service.address() as AddressInfo).port}`,
  relay: relayUrl,
  name: 'demo',
  identityFile: join(stateDir, 'tunnel-identity.json'),
  ca: readFileSync(caFile, 'utf8'),
});
tunnel.once('ready', ({ url }) => {
  process.stdout.write(`
A relay runs on this machine, and a demo service answers through it. Try it:

curl --cacert ${caFile} ${url}

In a browser open ${url} - it warns until you trust ${caFile}
(a CA made on this machine, good for names under localhost only).

Expose a service of your own, say on port 3000, from another terminal:

npm run --silent portal -- expose 3000 --relay ${relayUrl} --ca ${caFile}

Ctrl+C stops everything.
`);
});

tunnel.once('closed', ({ error }) => {
  if (!error) return;
  process.stderr.write(`demo: ${error.message}\n`);
  process.exitCode = 1;
  void stop();
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());

async function stop(): Promise<void> {
  await tunnel.close();
  await relay.stop();
  service.closeAllConnections();
  service.close();
}

/** The port wanted, or any that is free where another program has it. */
async function freePort(wanted: number): Promise<number> {
  const tryPort = async (port: number) =>
    await new Promise<number | undefined>((resolve) => {
      const probe = createTcpServer();
      probe.once('error', () => resolve(undefined));
      probe.listen(port, '127.0.0.1', () => {
        const found = (probe.address() as AddressInfo).port;
        probe.close(() => resolve(found));
      });
    });
  return (await tryPort(wanted)) ?? ((await tryPort(0)) as number);
}
