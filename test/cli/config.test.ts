import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sharedRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';

// `portal config`, the file of defaults, and completions.

const relay = sharedRelay();
const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

function setUp(t: TestContext) {
  const home = temporaryDirectory(t);
  const env = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: home };
  const file = join(home, 'portal', 'defaults.toml');
  const portal = (args: string[], more: Record<string, string> = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      env: { ...env, ...more },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  return { env, file, portal };
}

test('portal config use names the relays once for all, and expose says where it has them from', async (t) => {
  const { env, file, portal } = setUp(t);
  assert.match(portal(['expose', '3000']).stderr, /portal config use URL/);
  assert.equal(portal(['config', 'use', relay.url]).status, 0);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, `${readFileSync(file, 'utf8')}ca = ${JSON.stringify(relay.caFile)}\n`);

  const service = await startHttpService(t, (_request, response) => response.end('by default'));
  const child = spawn(process.execPath, [program, 'expose', String(service.port)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  assert.equal((await get(relay, new URL(url).hostname)).body, 'by default');
  assert.ok(said.includes(`using ${new URL(relay.url).origin}, as ${file} says`), said);
});

test('portal config prints what is in force and where it comes from: flags, then environment, then the file', (t) => {
  const { file, portal } = setUp(t);
  assert.match(portal(['config']).stdout, /Nothing is set/);
  portal(['config', 'use', 'https://one.example', 'two.example:8443']);
  const read = (args: string[], env = {}) => JSON.parse(portal(['config', '--json', ...args], env).stdout) as unknown;
  assert.deepEqual(read([]), {
    relays: { value: ['https://one.example', 'https://two.example:8443'], from: file },
  });
  assert.deepEqual(
    read(['--relay', 'https://flag.example'], { PORTAL_RELAY: 'https://env.example', PORTAL_NAME: 'me' }),
    {
      relays: { value: ['https://flag.example'], from: '--relay' },
      name: { value: 'me', from: 'PORTAL_NAME' },
    },
  );
  assert.match(portal(['config'], { PORTAL_NAME: 'me' }).stdout, /name +me +PORTAL_NAME/);
});

test('a file of defaults that is wrong, or would lose something, is said in one line', (t) => {
  const { file, portal } = setUp(t);
  assert.match(portal(['config', 'use', 'ftp://x']).stderr, /^portal config: [^\n]*\n$/);
  assert.match(portal(['config', 'use']).stderr, /give the URL/);
  mkdirSync(join(file, '..'), { recursive: true });
  for (const [text, fault] of [
    ['relays = "x"', /relays: must be a list/],
    ['name = "x"', /name: unknown setting/],
    ['relays = [', /defaults\.toml: /],
  ] as const) {
    writeFileSync(file, text);
    for (const args of [['expose', '3000'], ['config'], ['config', 'use', 'https://x.example']]) {
      const { status, stderr } = portal(args);
      assert.deepEqual([status, fault.test(stderr), stderr.trimEnd().includes('\n')], [2, true, false], stderr);
    }
  }
  writeFileSync(file, '# mine\ndiscovery = true\n');
  assert.match(portal(['config', 'use', 'https://x.example']).stderr, /has comments/);
  assert.equal(readFileSync(file, 'utf8'), '# mine\ndiscovery = true\n');
});

test('completions are valid, and complete commands, flags and shells', (t) => {
  const { portal } = setUp(t);
  const script = portal(['completion', 'bash']).stdout;
  const complete = (...words: string[]) => {
    const line = `COMP_WORDS=(portal ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _portal; echo "\${COMPREPLY[@]}"`;
    return spawnSync('bash', ['-c', `${script}\n${line}`], { encoding: 'utf8' })
      .stdout.trim()
      .split(' ');
  };
  assert.deepEqual(complete('exp'), ['expose']);
  assert.deepEqual(complete('expose', '3000', '--oidc-e'), ['--oidc-email']);
  assert.deepEqual(complete('completion', 'z'), ['zsh']);
  assert.match(portal(['completion', 'fish']).stdout, /-l basic-auth -r -F/);
  assert.match(portal(['completion', 'zsh']).stdout, /bashcompinit/);
  assert.equal(portal(['completion', 'tcsh']).status, 2);
});
