import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAll } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { openTunnel, startTcpService, visitTls } from '../support/tunnel.js';

// Bytes of heads beyond ASCII, as old services and browsers send them.

const relay = sharedRelay();
const umlaut = Buffer.from('ä').toString('latin1');

for (const [what, status, body, framing] of [
  ['a body', '200 OK', 'hello', 'Content-Length: 5'],
  ['no body', '302 Found', '', 'Content-Length: 0'],
  ['a chunked body', '200 OK', '5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'],
] as const) {
  for (const method of ['GET', 'HEAD', 'POST']) {
    test(`UTF-8 in heads is the same out as in: ${method}, ${what}`, async (t) => {
      let asked = '';
      const headers = [
        `Location: /${umlaut}`,
        `Set-Cookie: a=${umlaut}`,
        `Content-Disposition: attachment; filename="${umlaut}"`,
        framing,
      ];
      const answer = `HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`;
      const service = await startTcpService(t, (socket) => {
        socket.on('data', (chunk: Buffer) => {
          asked += chunk.toString('latin1');
          if (!asked.includes('\r\n\r\n') || (method === 'POST' && !asked.endsWith('body'))) return;
          socket.end(answer, 'latin1');
        });
      });
      const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
      const visitor = await visitTls(relay, hostname);
      const head = [
        `${method} /path HTTP/1.1`,
        `Host: ${hostname}`,
        `X-Name: ${umlaut}`,
        `Cookie: b=${umlaut}`,
        'Connection: close',
        ...(method === 'POST' ? ['Content-Length: 4'] : []),
      ];
      visitor.write(`${head.join('\r\n')}\r\n\r\n${method === 'POST' ? 'body' : ''}`, 'latin1');
      const text = (await readAll(visitor)).toString('latin1');
      for (const line of headers.slice(0, 3)) assert.ok(text.includes(`\r\n${line}\r\n`), text);
      assert.ok(asked.startsWith(`${method} /path HTTP/1.1\r\n`), asked);
      for (const line of [`X-Name: ${umlaut}`, `Cookie: b=${umlaut}`])
        assert.ok(asked.includes(`\r\n${line}\r\n`), asked);
    });
  }
}

test('a request with too large a head is answered 431, and never reaches the service', async (t) => {
  let asked = 0;
  const service = await startTcpService(t, () => asked++);
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  visitor.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nX-Large: ${'a'.repeat(70_000)}\r\n\r\n`);
  assert.match(String(await readAll(visitor)), /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  assert.equal(asked, 0);
});
