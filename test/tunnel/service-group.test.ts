import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExposeOptions, identityFromPrivateKey, ServiceGroup } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { startTestRelay } from '../support/relay.js';

test('a listener that throws fails its own change only', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  const group = new ServiceGroup();
  t.after(() => group.close(0));
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const service = (name: string): [string, ExposeOptions] => [
    name,
    { target: 1, relay: relay.url, ca: relay.ca, identity, name },
  ];
  group.once('opened', () => {
    throw new Error('a fault of the listener');
  });
  await assert.rejects(group.apply(new Map([service('one')])), /a fault of the listener/);
  const { started, kept } = await group.apply(new Map([service('one'), service('two')]));
  assert.deepEqual([started, kept], [['two'], ['one']]);
  const closed: string[] = [];
  group.on('closed', (key) => closed.push(key));
  await group.close();
  assert.deepEqual(closed.sort(), ['one', 'two']);
});
