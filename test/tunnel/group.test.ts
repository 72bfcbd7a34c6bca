import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { identityFromPrivateKey, type ProbeReport } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

const relay = sharedRelay();

/** Two tunnels of one group, whose services say who they are. */
async function pair(t: TestContext, listener?: RequestListener) {
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const open = async (name: string) => {
    const service = await startHttpService(t, listener ?? ((_request, response) => response.end(name)));
    const opened = await openTunnel(t, relay, service.port, { identity, group: 'web', http: true });
    return { service, ...opened };
  };
  return [await open('first'), await open('second')] as const;
}

async function answers(hostname: string, count: number): Promise<string[]> {
  const all = await Promise.all(Array.from({ length: count }, () => get(relay, hostname)));
  for (const { status } of all) assert.equal(status, 200);
  return all.map(({ body }) => body);
}

test('two tunnels with one identity and group share a name, and both get visitors', async (t) => {
  const [first, second] = await pair(t);
  assert.equal(first.url, second.url);
  assert.deepEqual([...new Set(await answers(first.hostname, 40))].sort(), ['first', 'second']);
});

test('one of two tunnels is closed while visitors come, and none of them notices', async (t) => {
  const [first, second] = await pair(t);
  let isClosing = true;
  const closing = first.tunnel.close().then(() => (isClosing = false));
  while (isClosing) await answers(second.hostname, 8);
  await closing;
  assert.deepEqual([...new Set(await answers(second.hostname, 10))], ['second']);
});

test('a tunnel that is killed with its connections leaves the other one serving', async (t) => {
  const [first, second] = await pair(t);
  await first.tunnel.close(0);
  assert.deepEqual([...new Set(await answers(second.hostname, 10))], ['second']);
});

test('a tunnel whose service does not respond lets the others have the visitors', async (t) => {
  const [first, second] = await pair(t);
  await first.service.stop();
  // One visitor finds out.
  await until(async () => (await get(relay, second.hostname)).status === 503);
  assert.deepEqual([...new Set(await answers(second.hostname, 20))], ['second']);
});

test('a probe that reaches another tunnel of the group is no interception', async (t) => {
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const service = await startHttpService(t, (_request, response) => response.end('x'));
  const reports: ProbeReport[] = [];
  const options = { identity, group: 'web', probe: { intervalMs: 1, maxDelayMs: 1 } };
  const tunnels = [
    await openTunnel(t, relay, service.port, options),
    await openTunnel(t, relay, service.port, options),
  ];
  for (const { tunnel } of tunnels) tunnel.on('probe', (report) => reports.push(report));
  const hasSeen = (result: string) => reports.some((report) => report.result === result);
  await until(async () => {
    await get(relay, tunnels[0]!.hostname);
    return hasSeen('unknown') && hasSeen('pass');
  });
  assert.ok(!hasSeen('mismatch'));
});

test('without a group the second tunnel replaces the first, which ends and says so', async (t) => {
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const service = await startHttpService(t, (_request, response) => response.end('x'));
  const first = await openTunnel(t, relay, service.port, { identity });
  const closed = once(first.tunnel, 'closed');
  await openTunnel(t, relay, service.port, { identity });
  const [{ error }] = (await closed) as [{ error?: { code?: string } }];
  assert.equal(error?.code, 'hostname_conflict');
});
