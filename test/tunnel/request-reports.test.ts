import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocketServer, WebSocket } from 'ws';
import type { RequestReport } from '../../src/tunnel/index.js';
import { sharedRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

const relay = sharedRelay();

for (const inspect of [false, true]) {
  test(`each request is reported when it is over${inspect ? ', beside the inspector' : ''}`, async (t) => {
    const service = await startHttpService(t, ({ url }, response) => {
      if (url === '/cut') response.write('half', () => response.destroy());
      else response.writeHead(url === '/missing' ? 404 : 200).end('x');
    });
    const reports: RequestReport[] = [];
    const onRequest = (report: RequestReport) => void reports.push(report);
    const { hostname } = await openTunnel(t, relay, service.port, { http: true, inspect, onRequest });
    await get(relay, hostname, '/a?b=c');
    await get(relay, hostname, '/missing');
    await get(relay, hostname, '/cut').catch(() => undefined);
    await until(() => reports.length === 3);
    assert.deepEqual(
      reports.map(({ method, target, status, address, error }) => [
        method,
        target,
        status,
        address,
        error !== undefined,
      ]),
      [
        ['GET', '/a?b=c', 200, '127.0.0.1', false],
        ['GET', '/missing', 404, '127.0.0.1', false],
        ['GET', '/cut', 200, '127.0.0.1', true],
      ],
    );
    assert.ok(reports.every((report) => report.hostname === hostname && report.durationMs > 0));
  });
}

test('answers of the tunnel itself are reported, and a callback that throws disturbs nobody', async (t) => {
  const statuses: (number | undefined)[] = [];
  const onRequest = ({ status }: RequestReport) => {
    statuses.push(status);
    throw new Error('a bug of the caller');
  };
  const { hostname } = await openTunnel(t, relay, '127.0.0.1:1', { http: true, onRequest });
  for (let count = 0; count < 2; count++) assert.equal((await get(relay, hostname)).status, 503);
  assert.deepEqual(statuses, [503, 503]);
});

test('a WebSocket is reported when it is open, and keeps its compression', async (t) => {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
  t.after(() => sockets.close());
  await once(sockets, 'listening');
  const { port } = sockets.address() as { port: number };
  const reports: RequestReport[] = [];
  const onRequest = (report: RequestReport) => void reports.push(report);
  const { url } = await openTunnel(t, relay, port, { http: true, onRequest });
  const { hostname, port: publicPort } = new URL(url);
  const socket = new WebSocket(`wss://127.0.0.1:${publicPort}/chat`, {
    ...({ ca: relay.ca, servername: hostname } as object),
    headers: { Host: `${hostname}:${publicPort}` },
  });
  t.after(() => socket.terminate());
  await until(() => socket.readyState === WebSocket.OPEN && reports.length === 1);
  assert.deepEqual([reports[0]!.target, reports[0]!.status], ['/chat', 101]);
  assert.match(socket.extensions, /permessage-deflate/);
});
