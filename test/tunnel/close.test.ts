import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { startTestRelay, sharedRelay } from '../support/relay.js';
import { get, open, openTunnel, startHttpService, statusWhere } from '../support/tunnel.js';

const relay = sharedRelay();

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test('closing a tunnel lets a running download finish, and refuses new visitors', async (t) => {
  const whole = randomBytes(8 * 1024 * 1024);
  const service = await startHttpService(t, (_request, response) => {
    response.writeHead(200, { Connection: 'close', 'Content-Length': whole.length });
    response.end(whole);
  });
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, { closeGraceMs: 60_000 });
  const download = await open(relay, hostname);
  const first = (await once(download, 'data'))[0] as Buffer;
  download.pause();

  const closing = tunnel.close();
  await statusWhere(tunnel, ({ state }) => state === 'closing');
  let refused: unknown;
  // The relay is told first; until it has heard, a visitor may still be let in.
  while (refused === undefined)
    refused = await get(relay, hostname).then(
      () => undefined,
      (error: Error) => error,
    );
  assert.match(String(refused), /unrecognized name|internal error|ECONNRESET/);

  const rest: Buffer[] = [];
  for await (const chunk of download) rest.push(chunk as Buffer);
  assert.equal(sha256(Buffer.concat([first, ...rest])), sha256(whole));
  await closing;
  assert.deepEqual(await tunnel.closed, {});
});

test('a connection that does not end is closed after the grace', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.write('for ever'));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, { closeGraceMs: 50 });
  const endless = await open(relay, hostname);
  const broken = once(endless, 'error');
  endless.resume();
  await tunnel.close();
  await broken;
});

test('closing again without grace closes at once', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.write('for ever'));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, { closeGraceMs: 3_600_000 });
  const endless = await open(relay, hostname);
  const broken = once(endless, 'error');
  endless.resume();
  const closing = statusWhere(tunnel, ({ state }) => state === 'closing');
  const patient = tunnel.close();
  assert.match((await closing).message, /still open: 1/);
  await tunnel.close(0);
  await patient;
  await broken;
});

test('a tunnel can close while its relay is down', async (t) => {
  const gone = await startTestRelay();
  const { tunnel } = await openTunnel(t, gone, 1);
  await gone.stop();
  await tunnel.close();
  assert.deepEqual(await tunnel.closed, {});
});
