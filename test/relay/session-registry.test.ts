import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Lease } from '../../src/relay/leases/lease.js';
import { ReverseSession } from '../../src/relay/reverse/reverse-session.js';
import { SessionRegistry } from '../../src/relay/reverse/session-registry.js';

const lease = (generation: string) => ({ hostname: 'shop.portal.localhost', generation }) as Lease;

function session(): ReverseSession {
  const options = { binding: true, proxy: false, recycle: false, unwrap: false, sign: false };
  return new ReverseSession(new PassThrough(), options, '127.0.0.1');
}

test('whoever still holds a lease that was replaced does not displace the sessions of its successor', (t) => {
  const registry = new SessionRegistry();
  t.after(() => registry.close());
  const [before, after] = [lease('before'), lease('after')];
  registry.of(before).add(session());
  registry.end(before, 'replaced');
  registry.of(after).add(session());
  const late = session();
  let isGone = false;
  late.once('gone', () => (isGone = true));
  registry.of(before).add(late);
  assert.ok(isGone, 'a session of the lease before is closed');
  assert.equal(registry.of(before).ended.aborted, true, 'and no visitor waits for one');
  assert.equal(registry.of(after).queue.ready, 1);
  assert.equal(registry.isAlive(before), false);
  assert.equal(registry.isAlive(after), true);
  assert.equal(registry.peek(lease('another')), undefined);
});
