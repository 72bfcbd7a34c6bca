import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents } from '../../src/agent/client/read-events.js';

test('events end with their signal, whatever the request does with it', async () => {
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('event: line\ndata: {"message":"a"}\n\n')),
    cancel: () => void (isCancelled = true),
  });
  const ending = new AbortController();
  const events = readEvents(stream, ending.signal);
  assert.deepEqual(await events.next(), { done: false, value: { event: 'line', data: { message: 'a' } } });
  const next = events.next();
  ending.abort();
  assert.equal((await next).done, true);
  assert.ok(isCancelled, 'the connection is closed');
});
