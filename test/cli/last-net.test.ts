import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { kill, startRelayProcess, startTunnelProcess } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { freePort, type TestRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';

/** Has a process throw where no boundary is, at SIGUSR2. */
const throwing = { nodeOptions: preload('process.on("SIGUSR2", () => { throw new Error("a bug") })') };
const rejecting = { nodeOptions: preload('process.on("SIGUSR2", () => void Promise.reject(new Error("a bug")))') };

function preload(script: string): string[] {
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`];
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Relay, tunnel and a service that answers once it is told to. */
async function setUp(t: TestContext, launches: { relay?: object; tunnel?: object }) {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const settings = ['--drain-timeout', '20'];
  const relay = await startRelayProcess(t, join(directory, 'state'), port, port, settings, launches.relay);
  const requests = new EventEmitter<{ asked: [ServerResponse] }>();
  const service = await startHttpService(t, (request, response) => {
    // The tunnel asks what the service speaks.
    if (request.method === 'HEAD') response.end();
    else requests.emit('asked', response);
  });
  const asked = once(requests, 'asked') as Promise<[ServerResponse]>;
  const expose = (identity: string) => ({
    target: service.port,
    relayPort: port,
    name: 'fragile',
    identity: join(directory, identity),
    caFile: join(directory, 'state', 'development-ca.pem'),
    ttlSeconds: 600,
  });
  const tunnel = await startTunnelProcess(t, expose('me.json'), launches.tunnel);
  const visited = { publicPort: port, ca: relay.ca } as TestRelay;
  const answer = get(visited, 'fragile.portal.localhost');
  return { relay: relay.child, tunnel, expose, answer, response: (await asked)[0] };
}

for (const [what, launch] of Object.entries({ 'an uncaught error': throwing, 'an unhandled rejection': rejecting })) {
  test(`relay: ${what} is logged, the open connections finish, and the exit code is 70`, async (t) => {
    const { relay, answer, response } = await setUp(t, { relay: launch });
    const logged = printed(relay, /uncaught error: the relay drains/, relay.stderr);
    relay.kill('SIGUSR2');
    const [line] = (await logged).split('\n').filter((each) => each.includes('uncaught error'));
    const { level, err } = JSON.parse(line!) as { level: string; err: { message: string } };
    assert.deepEqual([level, err.message], ['fatal', 'a bug']);
    response.end('to the last byte');
    assert.equal((await answer).body, 'to the last byte');
    assert.equal(await exitOf(relay), 70);
  });

  test(`tunnel: ${what} is said, the open connections finish, the name is given back, the exit code is 70`, async (t) => {
    const { tunnel, expose, answer, response } = await setUp(t, { tunnel: launch });
    const said = printed(tunnel, /uncaught error, closing: Error: a bug/, tunnel.stderr);
    tunnel.kill('SIGUSR2');
    await said;
    response.end('to the last byte');
    assert.equal((await answer).body, 'to the last byte');
    assert.equal(await exitOf(tunnel), 70);
    // Another identity gets the name at once.
    await kill(await startTunnelProcess(t, expose('other.json')), 'SIGTERM');
  });
}
