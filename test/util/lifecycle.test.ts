import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lifecycle } from '../../src/util/lifecycle.js';

function withSteps() {
  const done: string[] = [];
  const errors: unknown[] = [];
  const lifecycle = new Lifecycle((error) => errors.push(error));
  const step = (name: string) => (handsOver: boolean) => done.push(`${name} ${handsOver}`);
  lifecycle.onStop(step('lock'));
  lifecycle.onStop(step('threads'), { lasts: true });
  lifecycle.onStop(step('listener'));
  lifecycle.onStop(step('connections'), { lasts: true });
  return { done, errors, lifecycle };
}

test('steps are undone in reverse order', async () => {
  const { done, lifecycle } = withSteps();
  await lifecycle.stop();
  assert.deepEqual(done, ['connections false', 'listener false', 'threads false', 'lock false']);
  await lifecycle.stop();
  assert.equal(done.length, 4);
});

test('a release leaves what lasts to the stop', async () => {
  const { done, lifecycle } = withSteps();
  await lifecycle.release();
  assert.deepEqual(done, ['listener true', 'lock true']);
  await lifecycle.stop();
  assert.deepEqual(done.slice(2), ['connections false', 'threads false']);
});

test('a step that throws does not keep the others from running', async () => {
  for (const how of ['stop', 'release'] as const) {
    const { done, errors, lifecycle } = withSteps();
    lifecycle.onStop(() => {
      throw new Error('stuck');
    });
    await assert.rejects(lifecycle[how](), /stuck/);
    assert.equal(done.length, how === 'stop' ? 4 : 2);
    assert.equal(errors.length, 1);
  }
});
