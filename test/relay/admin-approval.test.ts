import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminOf, leasePath } from '../support/admin.js';
import { freshWallet } from '../support/by-hand.js';
import { startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { startTestRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { join } from 'node:path';

test('portal expose reports that approval is pending, serves once approved, and returns after a revocation', async (t) => {
  const operator = freshWallet();
  const relay = await startTestRelay({
    adminWallets: [operator.address],
    policy: {
      approvalMode: 'manual',
      landingPageEnabled: false,
      udp: { enabled: false, maxLeases: 0 },
      tcpPort: { enabled: false, maxLeases: 0 },
    },
  });
  t.after(() => relay.stop());
  const admin = await adminOf(relay, operator);
  const service = await startHttpService(t, (_request, response) => response.end('served'));
  const identity = join(temporaryDirectory(t), 'identity.json');
  const child = startPortal(t, [
    ...['expose', String(service.port), '--relay', relay.url, '--ca', relay.caFile],
    ...['--name', 'patient', '--identity', identity, '--json'],
  ]);
  interface Event {
    event: string;
    message: string;
  }
  const events: Event[] = [];
  let told: (() => void) | undefined;
  child.once('exit', () => told?.());
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() as string;
    for (const line of lines) events.push(JSON.parse(line) as Event);
    told?.();
  });
  /** Waits for an event, of those not seen yet. */
  const event = async (name: string): Promise<Event> => {
    for (;;) {
      const index = events.findIndex((one) => one.event === name);
      const [found] = index < 0 ? [] : events.splice(0, index + 1).slice(-1);
      if (found) return found;
      assert.equal(child.exitCode ?? child.signalCode, null, `no ${name} came: ${JSON.stringify(events)}`);
      await new Promise<void>((resolve) => (told = resolve));
    }
  };

  const url = printed(child, /https:/);
  assert.match((await event('awaiting_approval')).message, /operator has yet to approve this name/);
  const [lease] = (await admin.snapshot()).leases;
  assert.deepEqual([lease.name, lease.is_approved, lease.ready], ['patient', false, 0]);
  await admin.post(leasePath(lease, 'approve'));
  await event('ready');
  await url;
  assert.equal((await get(relay, lease.hostname)).body, 'served');

  await admin.delete(leasePath(lease, 'approve'));
  await assert.rejects(get(relay, lease.hostname), /unrecognized name|ECONNRESET/i);
  await event('awaiting_approval');
  await admin.post(leasePath(lease, 'approve'));
  await event('ready');
  assert.equal((await get(relay, lease.hostname)).body, 'served');
});

test('a tunnel whose identity is banned ends at once with the reason', async (t) => {
  const operator = freshWallet();
  const relay = await startTestRelay({ adminWallets: [operator.address] });
  t.after(() => relay.stop());
  const admin = await adminOf(relay, operator);
  const service = await startHttpService(t, (_request, response) => response.end('served'));
  // So long a lease is renewed minutes later, of itself.
  const { tunnel } = await openTunnel(t, relay, service.port, { ttl: 3_600 });
  let refusals = 0;
  const refusedAgain = new Promise<never>((_, reject) => {
    tunnel.on('status', ({ state }) => {
      if (state === 'awaiting_approval' && ++refusals > 1) reject(new Error('it goes on asking to connect'));
    });
  });
  const [lease] = (await admin.snapshot()).leases;
  await admin.post(leasePath(lease, 'ban'));
  const { error } = await Promise.race([tunnel.closed, refusedAgain]);
  assert.match(String(error), /refuses this identity/);
});
