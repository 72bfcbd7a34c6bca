import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { projectRoot } from '../contract/support/project.js';
import { openPage, startBrowser } from '../support/browser.js';
import { runProgram } from '../support/programs.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';
import { startHttpService } from '../support/tunnel.js';

// The package as a stranger has it: packed, installed elsewhere, and used by what its documentation says.

/** Calls the client the way an SDK author would, and compiles only as long as the types narrow. */
const consumer = `
import { createPortalClient, errorCatalogue, isApiError, type Answer, type Fetch } from 'portal-relay/sdk';

export async function aliveness(relay: string, accessToken: string, hostname: string, fetch?: Fetch): Promise<string> {
  const client = createPortalClient({ relay, fetch });
  const answer: Answer<'getTunnelStatus'> = await client.send('getTunnelStatus', { accessToken, query: { hostname } });
  if (answer.ok) {
    const alive: boolean = answer.data.service_alive;
    return String(alive);
  }
  const meaning: string = errorCatalogue[answer.error.code].meaning;
  return answer.error.code === 'unauthorized' && meaning.length > 0 ? 'who are you' : answer.error.code;
}

export function isFinal(error: unknown): boolean {
  if (!isApiError(error, 'ip_banned', 'hostname_conflict')) return false;
  const code: 'ip_banned' | 'hostname_conflict' = error.code;
  const { status, retry, cause }: { status: number; retry: string; cause?: unknown } = error;
  return code.length > 0 && status > 0 && retry === 'never' && cause !== undefined;
}

// @ts-expect-error: no such operation
void ((client: ReturnType<typeof createPortalClient>) => client.send('getNothing'));
`;

const page = `
import { createPortalClient, type RetryAdvice } from 'portal-relay/sdk/browser';
const client = createPortalClient({ relay: 'https://relay.example.com' });
const answer = await client.send('getHealth');
const seconds: number = !answer.ok && answer.retry === 'after_delay' ? answer.retryAfterSeconds : 0;
export const advice: RetryAdvice = { retry: 'after_delay', retryAfterSeconds: seconds };
`;
const tunnel = `
import { expose } from 'portal-relay';
const tunnel = expose({ relay: 'https://relay.example.com', target: 3000, name: 'my-app', signal: undefined });
tunnel.on('status', ({ state, message }) => console.log(state, message));
export const { url }: { url: string } = await tunnel.ready();
`;

let relay: TestRelay;
let dir: string;
let app: string;

before(async () => {
  relay = await startTestRelay();
  dir = mkdtempSync(join(tmpdir(), 'portal-package-'));
  app = join(dir, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  const packed = await npm(projectRoot, 'pack', '--json', '--ignore-scripts', '--pack-destination', dir);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  await npm(app, 'install', join(dir, filename), '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund');
  writeFileSync(join(app, 'consumer.ts'), consumer);
  for (const [folder, program] of Object.entries({ page, tunnel })) {
    mkdirSync(join(app, folder));
    writeFileSync(join(app, folder, 'program.ts'), program);
  }
  cpSync(join(installed(), 'docs/examples/lease-by-hand.ts'), join(app, 'lease-by-hand.ts'));
});
after(async () => {
  await relay.stop();
  rmSync(dir, { recursive: true, force: true });
});

const installed = () => join(app, 'node_modules/portal-relay');

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram('npm', ['--prefix', cwd, ...args], { timeoutMs: 120_000, cwd });
  assert.equal(code, 0, stderr);
  return stdout.toString();
}

async function typeCheck(name: string, options: object, include = '*.ts'): Promise<void> {
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    types: ['node'],
    exactOptionalPropertyTypes: true,
    ...options,
  };
  const project = join(app, `tsconfig.${name}.json`);
  writeFileSync(project, JSON.stringify({ compilerOptions, include: [include] }));
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await runProgram(process.execPath, [tsc, '-p', project], { timeoutMs: 120_000 });
  assert.equal(code, 0, stdout.toString());
}

test('the package has contract, API reference, licences and documentation, and no tests', async () => {
  const contract = readFileSync(join(projectRoot, 'generated/openapi.json'), 'utf8');
  writeFileSync(
    join(app, 'contract.mjs'),
    `import contract from 'portal-relay/openapi.json' with { type: 'json' };
     process.stdout.write(JSON.stringify(contract));`,
  );
  const { stdout, stderr } = await runProgram(process.execPath, ['--no-warnings', join(app, 'contract.mjs')]);
  assert.deepEqual(JSON.parse(stdout.toString()), JSON.parse(contract), stderr);
  const manifest = readFileSync(join(app, 'package-lock.json'), 'utf8');
  for (const tool of ['esbuild', 'redoc', 'fast-check', 'typescript'])
    assert.ok(!manifest.includes(`"node_modules/${tool}"`), `${tool} is installed along`);
  const packed = JSON.parse(await npm(projectRoot, 'pack', '--json', '--dry-run', '--ignore-scripts')) as [
    { files: { path: string }[] },
  ];
  const paths = packed[0].files.map(({ path }) => path);
  for (const path of [
    'LICENSE',
    'README.md',
    'docs/sdk.md',
    'docs/CHANGELOG.md',
    'docs/protocol.md',
    'dist/browser/portal-sdk.js',
    'dist/src/relay/api/handlers/reference/redoc.js',
    'dist/src/relay/api/handlers/reference/redoc.standalone.js.LICENSE.txt',
    'generated/openapi.json',
  ])
    assert.ok(paths.includes(path), path);
  assert.deepEqual(
    paths.filter((path) => /^(dist\/)?(test|scripts)\//.test(path)),
    [],
  );
});

test('the types of the package compile in strict TypeScript with every module resolution', async () => {
  const bundler = { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], noEmit: true };
  await Promise.all([
    typeCheck('bundler', { ...bundler, skipLibCheck: true }),
    typeCheck('nodenext', { module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2022'] }),
    // A page knows nothing of Node, and nobody who exposes a service should have to look for types.
    typeCheck('browser', { ...bundler, types: [] }, 'page/*.ts'),
    typeCheck('tunnel', { module: 'nodenext', moduleResolution: 'nodenext', noEmit: true }, 'tunnel/*.ts'),
  ]);
});

test('the SDK in Python has the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  const python = readFileSync(join(projectRoot, 'src/sdk-python/pyproject.toml'), 'utf8');
  assert.equal(/^version = "(.*)"$/m.exec(python)?.[1], version);
});

test('the SDK alone is a package without the relay, whose types compile', async () => {
  const sdk = join(projectRoot, 'dist/portal-sdk');
  const stranger = join(dir, 'sdk');
  mkdirSync(stranger);
  writeFileSync(join(stranger, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  const packed = await npm(projectRoot, 'pack', sdk, '--json', '--ignore-scripts', '--pack-destination', dir);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  await npm(stranger, 'install', join(dir, filename), '--prefer-offline', '--no-audit', '--no-fund');
  const lock = readFileSync(join(stranger, 'package-lock.json'), 'utf8');
  for (const part of ['libsql', 'express', 'playwright-core', 'koffi', 'pino'])
    assert.ok(!lock.includes(`"node_modules/${part}"`), `${part} is installed along`);
  const program = `
    import { createPortalClient, isApiError, type Answer } from 'portal-sdk';
    import { RelayTransport } from 'portal-sdk/node';
    import { expose, type Tunnel } from 'portal-sdk/tunnel';
    import contract from 'portal-sdk/openapi.json' with { type: 'json' };
    const { fetch } = new RelayTransport();
    const client = createPortalClient({ relay: 'https://127.0.0.1:1', fetch });
    const answer: Promise<Answer<'getHealth'> | string> = client.send('getHealth').catch((error) => String(isApiError(error)));
    const start: (relay: string) => Tunnel = (relay) => expose({ relay, target: 3000 });
    console.log(await answer, typeof start, contract.openapi);`;
  writeFileSync(join(stranger, 'program.ts'), program);
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  const types = join(projectRoot, 'node_modules/@types');
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--resolveJsonModule', '--skipLibCheck'];
  const compiled = await runProgram(process.execPath, [tsc, ...options, '--typeRoots', types, 'program.ts'], {
    cwd: stranger,
  });
  assert.equal(compiled.code, 0, compiled.stdout.toString());
  const { stdout, stderr } = await runProgram(process.execPath, ['--no-warnings', 'program.js'], { cwd: stranger });
  assert.equal(stdout.toString(), 'false function 3.1.0\n', stderr);
});

test('the example gets a lease with the client and ethers only', async () => {
  const { code, stdout, stderr } = await runProgram(
    process.execPath,
    [join(app, 'lease-by-hand.js'), relay.url, 'By-Hand'],
    { env: { PORTAL_CA: relay.caFile } },
  );
  assert.equal(code, 0, stderr);
  // The relay grants whole seconds, of which the calls take a part.
  assert.deepEqual(
    stdout
      .toString()
      .replaceAll(/for (5\d|60|11\d|120) s/g, 'for a while')
      .trim()
      .split('\n'),
    [
      'relay portal.localhost carries sessions over raw, websocket',
      'leased by-hand.portal.localhost for a while',
      'renewed for a while',
      'registered: true, alive: false',
      'given back: lease_not_found, 404, reauthenticate',
    ],
  );
});

test('the example reports why a relay refuses', async () => {
  const args = [join(app, 'lease-by-hand.js'), relay.url, 'www'];
  const { code, stderr } = await runProgram(process.execPath, args, { env: { PORTAL_CA: relay.caFile } });
  assert.equal(code, 1);
  assert.match(stderr, /^refused: hostname_conflict \(.*\), retry: never$/m);
});

test('the package works in Chromium, bundled and as the browser file', async (t) => {
  const page = `
import { createPortalClient, identityFromPrivateKey, checkSignInMessage } from 'portal-relay/sdk';
import { aliveness } from './consumer.js';
globalThis.portal = { createPortalClient, identityFromPrivateKey, checkSignInMessage, aliveness };`;
  const bundle = await build({
    stdin: { contents: page, resolveDir: app },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    logLevel: 'silent',
  });
  const files: Record<string, [type: string, body: string]> = {
    '/': ['text/html', '<!doctype html><script type="module" src="/bundle.js"></script>'],
    '/bundle.js': ['text/javascript', bundle.outputFiles[0]!.text],
    '/portal-sdk.js': ['text/javascript', readFileSync(join(installed(), 'dist/browser/portal-sdk.js'), 'utf8')],
  };
  const { port } = await startHttpService(t, (request, response) => {
    const [type, body] = files[request.url ?? ''] ?? ['text/plain', ''];
    response.setHeader('Content-Type', type);
    response.end(body);
  });
  const { page: tab, faults } = await openPage(await startBrowser(t));
  await tab.goto(`http://127.0.0.1:${port}/`);
  await tab.waitForFunction('globalThis.portal !== undefined');
  const lease = (name: string) => `(async (portal) => {
    const client = portal.createPortalClient({ relay: '${relay.url}' });
    const wallet = portal.identityFromPrivateKey('0x' + '11'.repeat(32));
    const { challenge_id, siwe_message } = await client.createRegisterChallenge({
      identity: { name: '${name}', address: wallet.address },
    });
    portal.checkSignInMessage(siwe_message, { relay: client.relay, address: wallet.address, challengeId: challenge_id });
    const siwe_signature = await wallet.signMessage(siwe_message);
    const { hostname, access_token } = await client.registerLease({ challenge_id, siwe_message, siwe_signature });
    const { lifetimeMs } = await client.renewLease(access_token);
    return { hostname, access_token, lives: lifetimeMs > 20000 };
  })`;
  const bundled = (await tab.evaluate(`${lease('bundled')}(portal)`)) as Record<string, string>;
  assert.deepEqual([bundled['hostname'], bundled['lives']], ['bundled.portal.localhost', true]);
  const ask = (token: string) => tab.evaluate(`portal.aliveness('${relay.url}', '${token}', '${bundled['hostname']}')`);
  assert.equal(await ask(bundled['access_token']!), 'false');
  assert.deepEqual(faults, []);
  assert.equal(await ask('another'), 'who are you');

  const single = (await tab.evaluate(`import('/portal-sdk.js').then(${lease('single')})`)) as Record<string, string>;
  assert.deepEqual([single['hostname'], single['lives']], ['single.portal.localhost', true]);
});
