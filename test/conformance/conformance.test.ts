import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { projectRoot } from '../contract/support/project.js';
import { runProgram } from '../support/programs.js';
import { portalMain } from '../support/processes.js';
import { startTestRelay } from '../support/relay.js';
import { say, ScriptedRelay, succeed } from '../support/scripted-relay.js';
import { requireTool } from '../support/tools.js';

interface Report {
  passed: number;
  failed: number;
  level: number;
  requirements: { id: string; passed: boolean; reason?: string; requirement: string; source: string }[];
}

const ours = 'node docs/examples/conformance/driver.mjs';

/** `portal conformance` with a driver. */
async function conformance(
  command: string,
  ...args: string[]
): Promise<{ code: number | null; report: Report; stderr: string }> {
  const options = ['conformance', '--command', command, '--json', '--at-once', '6', ...args];
  const { code, stdout, stderr } = await runProgram(process.execPath, [portalMain, ...options], {
    cwd: projectRoot,
    timeoutMs: 120_000,
  });
  return { code, report: JSON.parse(stdout.toString() || '{}') as Report, stderr };
}

/** A driver of a few lines. */
function driver(t: TestContext, program: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'portal-driver-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'driver.mjs'), program);
  return `node ${join(folder, 'driver.mjs')}`;
}

test('our own SDK meets what every SDK needs to serve visitors', async () => {
  const { code, report, stderr } = await conformance(ours, '--level', '1');
  assert.deepEqual(
    report.requirements.filter(({ passed }) => !passed),
    [],
    stderr,
  );
  assert.equal(code, 0);
  assert.equal(report.level, 1);
});

test('an SDK that signs whatever it is given, and serves nobody, is told so', async (t) => {
  const signer = driver(
    t,
    `import { createInterface } from 'node:readline';
     import { readFileSync } from 'node:fs';
     import { request } from 'node:https';
     createInterface({ input: process.stdin }).once('line', async (line) => {
       const { relay, ca_file, name, private_key } = JSON.parse(line);
       const { Wallet } = await import(${JSON.stringify(import.meta.resolve('ethers'))});
       const wallet = new Wallet(private_key);
       const ca = readFileSync(ca_file);
       const { port, hostname: servername } = new URL(relay);
       const call = (path, body) => new Promise((resolve, reject) => {
         const to = { host: '127.0.0.1', port, servername, ca, path, method: 'POST', headers: { 'content-type': 'application/json' } };
         request(to, (response) => {
           let text = '';
           response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(JSON.parse(text).data));
         }).on('error', reject).end(JSON.stringify(body));
       });
       const { challenge_id, siwe_message } = await call('/sdk/register/challenge', { identity: { name, address: wallet.address } });
       await call('/sdk/register', { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) });
       console.log('{"event":"serving"}');
     });`,
  );
  const { code, report } = await conformance(
    signer,
    '--only',
    'sign-in-lie-domain',
    '--only',
    'sign-in-lie-uri',
    '--only',
    'serving',
  );
  assert.equal(code, 1);
  assert.equal(report.level, 0);
  const reasons = Object.fromEntries(report.requirements.map(({ id, reason }) => [id, reason]));
  assert.match(reasons['sign-in-lie-domain']!, /signs a message with the domain of another relay/);
  assert.match(reasons['sign-in-lie-uri']!, /signs a message with the URI of another relay/);
  assert.match(reasons['serving']!, /opens a session/);
});

test('drivers that hang, end, or print too much, or what is not of the protocol, fail with the reason', async (t) => {
  const failure = async (command: string) => {
    const { code, report } = await conformance(command, '--only', 'give-back');
    assert.equal(code, 1);
    return report.requirements[0]!.reason!;
  };
  assert.match(await failure('exit 3'), /stopped \(it ended with 3\)/);
  assert.match(await failure('cat /dev/zero'), /prints too much/);
  assert.match(await failure('echo "Hello!"; exec sleep 100'), /no JSON: Hello!/);
  assert.match(
    await failure(driver(t, `console.log('{"event":"flying"}'); setInterval(() => {}, 1000)`)),
    /not known: .*flying/,
  );
  assert.match(
    await failure(driver(t, `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`)),
    /opens a session/,
  );
});

test('requirements are listed, with where they come from, and the report is also JUnit', async (t) => {
  const listed = await runProgram(process.execPath, [portalMain, 'conformance', '--list', '--json']);
  const { requirements } = JSON.parse(listed.stdout.toString()) as Pick<Report, 'requirements'>;
  assert.ok(requirements.length > 50);
  assert.equal(new Set(requirements.map(({ id }) => id)).size, requirements.length);
  for (const { id, source } of requirements) {
    const [file, anchor] = source.split('#') as [string, string];
    const headings = readFileSync(join(projectRoot, 'docs', file), 'utf8').match(/^#+ .*$/gm)!;
    const anchors = headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    assert.ok(anchors.includes(anchor), `${id}: ${source}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'portal-junit-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'report.xml');
  const noisy = driver(t, `process.stderr.write('\\u0000<&">\\u001b[31m'); process.exit(1)`);
  const { code } = await conformance(noisy, '--only', 'serving', '--junit', file);
  assert.equal(code, 1);
  const read =
    'import sys, xml.etree.ElementTree as e; s = e.parse(sys.argv[1]).getroot(); print(s.get("failures"), len(s))';
  const parsed = await runProgram(await requireTool('python3'), ['-c', read, file]);
  assert.equal(parsed.stdout.toString(), '1 1\n', parsed.stderr);
});

test('wrong usage is one line', async () => {
  for (const args of [[], ['--list', '--only', 'nothing'], ['--list', '--level', '3'], ['driver']]) {
    const { code, stderr } = await runProgram(process.execPath, [portalMain, 'conformance', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /^portal conformance: .*\n$/);
  }
});

test('a relay of this project meets the contract, seen from outside', async () => {
  const relay = await startTestRelay();
  const caFile = relay.caFile;
  try {
    const checks = [
      'domain',
      'lease',
      'name',
      'challenge',
      'bad',
      'wrong',
      'tokens',
      'admin',
      'early',
      'unknown',
      'visitor',
      'binding',
      'transcript',
    ];
    const only = checks.flatMap((id) => ['--only', id]);
    const args = ['conformance', '--relay', relay.url, '--ca', caFile, '--json', ...only];
    const { code, stdout, stderr } = await runProgram(process.execPath, [portalMain, ...args], { timeoutMs: 120_000 });
    const { requirements } = JSON.parse(stdout.toString()) as Report;
    assert.ok(requirements.length >= 15);
    assert.deepEqual(
      requirements.filter(({ passed }) => !passed),
      [],
      stderr,
    );
    assert.equal(code, 0);
  } finally {
    await relay.stop();
  }
});

test('what is no relay, or breaks the contract, is told with the reason', async (t) => {
  const relay = await ScriptedRelay.start(t);
  const folder = mkdtempSync(join(tmpdir(), 'portal-ca-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'ca.pem'), relay.ca);
  const check = async (...only: string[]) => {
    const args = ['conformance', '--relay', relay.url, '--ca', join(folder, 'ca.pem'), '--json'];
    const { code, stdout } = await runProgram(process.execPath, [
      portalMain,
      ...args,
      ...only.flatMap((id) => ['--only', id]),
    ]);
    assert.equal(code, 1);
    const { requirements } = JSON.parse(stdout.toString()) as Report;
    return Object.fromEntries(requirements.map(({ id, reason }) => [id, reason ?? 'met']));
  };
  relay.next('domain', succeed(200, { root_host: 'portal.localhost' }));
  assert.match((await check('domain'))['domain']!, /getDomain 200: body.* required property/);
  relay.next('domain', say(200, 'hello'));
  assert.match((await check('domain'))['domain']!, /getDomain 200: content type/);
  // It gives a token to whoever signs, and never asks for one.
  const reasons = await check('challenge-signature', 'tokens', 'wrong-paths', 'health');
  assert.match(reasons['challenge-signature']!, /registerLease answers 201 , not 401 unauthorized/);
  assert.match(reasons['tokens']!, /renewLease answers 200 , not 401 unauthorized/);
  assert.match(reasons['wrong-paths']!, /a path that is not there is 404/);
  assert.match(reasons['health']!, /getHealth 404/);
});

test('an SDK that its author starts by hand is played for, and Enter says that it has ended', async (t) => {
  const kit = spawn(
    process.execPath,
    [portalMain, 'conformance', '--listen', '--only', 'tls-alpn', '--only', 'stops-registerLease-hostname'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  t.after(() => kit.kill());
  const lines = createInterface({ input: kit.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  for (const id of ['tls-alpn', 'stops-registerLease-hostname_conflict']) {
    const sdk = spawn(process.execPath, [join(projectRoot, 'docs/examples/conformance/driver.mjs')], {
      cwd: projectRoot,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.after(() => sdk.kill());
    sdk.stdin.write(`${await next()}\n`);
    sdk.stdout.on('data', (chunk: Buffer) => void (chunk.includes('stopped') && kit.stdin.write('\n')));
    assert.match(await next(), new RegExp(`^ok +${id} `));
    sdk.kill();
  }
  assert.equal(await next(), '2 requirements met, 0 not; level 2');
});
