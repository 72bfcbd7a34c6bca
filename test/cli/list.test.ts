import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeSites, startSite } from '../support/discovery.js';
import { runProgram } from '../support/programs.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

async function list(args: string[], env: Record<string, string> = {}) {
  const clean = { PORTAL_RELAY: undefined, PORTAL_CA: undefined, ...env };
  const { code, stdout, stderr } = await runProgram(process.execPath, [program, 'list', ...args], { env: clean });
  return { code, stdout: stdout.toString(), stderr };
}

async function startPair(t: TestContext) {
  const sites = await makeSites(t, ['here', 'there']);
  const ca = sites.map(({ caPem }) => caPem).join('');
  const caFile = join(temporaryDirectory(t), 'ca.pem');
  writeFileSync(caFile, ca);
  const here = await startSite(t, sites[0]!, { bootstraps: [], ca });
  const there = await startSite(t, sites[1]!, { bootstraps: [sites[0]!.url], ca });
  await until(() => here.relay.discovery!().believed.length === 1);
  return { here, there, caFile };
}

test('relays are printed as a table, or as JSON with --json', async (t) => {
  const { here, there, caFile } = await startPair(t);
  const table = await list(['--relay', here.url, '--ca', caFile, '--allow-private']);
  assert.equal(table.code, 0, table.stderr);
  const [head, first, second, ...more] = table.stdout.split('\n');
  assert.match(head!, /^RELAY +LATENCY +CONNECTIONS +THROUGHPUT +PORTS +OVERLAY +ADDRESS$/);
  assert.match(first!, new RegExp(`^${here.url} +[\\d.]+ ms +0 +0 B/s +none +no +${here.relay.address}$`));
  assert.match(second!, new RegExp(`^${there.url} +[\\d.]+ ms .* ${there.relay.address}$`));
  assert.deepEqual(more, ['']);

  const json = await list(['--allow-private', '--json'], { PORTAL_RELAY: here.url, PORTAL_CA: caFile });
  const { relays } = JSON.parse(json.stdout) as { relays: Record<string, unknown>[] };
  assert.deepEqual(
    relays.map(({ url, named, reachable, address }) => [url, named, reachable, address]),
    [
      [here.url, true, true, here.relay.address],
      [there.url, false, true, there.relay.address],
    ],
  );
});

test('a relay that does not respond is listed with the reason, and the exit code is 1 if none responds', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  const gone = `https://portal.localhost:${await freePort()}`;
  const one = await list(['--relay', gone, '--ca', relay.caFile]);
  assert.equal(one.code, 1);
  assert.match(one.stdout, new RegExp(`${gone} +- .*cannot reach`));
  const both = await list(['--relay', gone, '--relay', relay.url, '--ca', relay.caFile]);
  assert.equal(both.code, 0);
  assert.match(both.stdout, /discovery is off on that relay/);
});

test('usage errors are one line with exit code 2', async () => {
  for (const args of [
    [],
    ['--relay', 'http://a.example'],
    ['--relay', 'a.example', '--timeout', '0'],
    ['--nonsense'],
  ]) {
    const { code, stdout, stderr } = await list(args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, /^portal list: [^\n]+\n$/);
  }
  assert.equal((await list(['--help'])).code, 0);
});
