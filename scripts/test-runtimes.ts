/**
 * `npm run test:runtimes`: the package `portal-sdk` under Deno and Bun, which are installed into a temporary folder: a lease's life against a relay of this
 * checkout, and under Deno a service that is exposed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { printed, runProgram } from '../test/support/programs.js';
import { startTestRelay } from '../test/support/relay.js';
import { get } from '../test/support/tunnel.js';
import { installInto } from './install.js';

const dist = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'portal-runtimes-'));
const leasing = `
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { checkSignInMessage, createPortalClient, identityFromPrivateKey, isApiError } from 'portal-sdk';
const [relay, name] = process.argv.slice(2);
const { PORTAL_CA: ca } = process.env;
const { RelayTransport } = ca ? await import('portal-sdk/node') : {};
const client = createPortalClient({ relay, fetch: ca && new RelayTransport({ ca: readFileSync(ca) }).fetch });
const { address, signMessage } = identityFromPrivateKey('0x' + '17'.repeat(32));
const { challenge_id, siwe_message } = await client.createRegisterChallenge({ identity: { name, address } });
checkSignInMessage(siwe_message, { relay: client.relay, address, challengeId: challenge_id });
const siwe_signature = await signMessage(siwe_message);
const { hostname, access_token } = await client.registerLease({ challenge_id, siwe_message, siwe_signature });
const renewed = await client.renewLease(access_token);
await client.unregisterLease(renewed.access_token);
const code = await client.renewLease(renewed.access_token).catch((error) => isApiError(error) && error.code);
console.log(hostname, code);
process.exit(0);
`;
const exposing = `
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { expose } from 'portal-sdk/tunnel';
const [relay, target, ca] = process.argv.slice(2);
await expose({ relay, target, name: 'by-deno', ca: readFileSync(ca) }).ready();
console.log('serving');
`;
const relay = await startTestRelay();
try {
  const packed = await runProgram('npm', ['pack', '--json', '--pack-destination', folder, join(dist, 'portal-sdk')]);
  const [{ filename }] = JSON.parse(packed.stdout.toString()) as [{ filename: string }];
  await installInto(folder, join(folder, filename), 'deno@2', 'bun@1');
  writeFileSync(join(folder, 'lease.mjs'), leasing);
  writeFileSync(join(folder, 'expose.mjs'), exposing);
  await leases('Deno', ['deno', 'run', '--allow-all'], { PORTAL_CA: relay.caFile });
  // Bun connects in its own way, knows names under localhost, and takes the CA from the environment.
  await leases('Bun', ['bun'], { NODE_EXTRA_CA_CERTS: relay.caFile });
  await exposes();
  process.stdout.write('portal-sdk works under Deno and Bun\n');
} catch (error) {
  process.stderr.write(`portal-sdk does not work everywhere: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await relay.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function leases(runtime: string, command: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const [program, ...args] = command as [string, ...string[]];
  const options = { env, cwd: folder, timeoutMs: 60_000 };
  const { code, stdout, stderr } = await runProgram(
    join(folder, 'node_modules/.bin', program),
    [...args, 'lease.mjs', relay.url, `of-${program}`],
    options,
  );
  if (code !== 0 || stdout.toString() !== `of-${program}.portal.localhost lease_not_found\n`)
    throw new Error(`${runtime}: ended with ${code}: ${stdout.toString()}${stderr}`);
}

async function exposes(): Promise<void> {
  const service = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const command = ['run', '--allow-all', 'expose.mjs', relay.url, String(port), relay.caFile];
  const child = spawn(join(folder, 'node_modules/.bin/deno'), command, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await printed(child, /serving/);
    const { body } = await get(relay, 'by-deno.portal.localhost');
    if (body !== 'hello') throw new Error(`Deno: a service that is exposed says ${body}`);
  } finally {
    child.kill();
    service.close();
  }
}
