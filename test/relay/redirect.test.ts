import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { proxyHeader } from '../../src/protocol/proxy-protocol.js';
import { readAll } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';

// `--http-port`: plain HTTP is led to https.

const relay = sharedRelay({ httpPort: 0, apiHosts: ['api.example'], proxyProtocolFrom: ['127.0.0.9'] });

async function say(bytes: string | Buffer, localAddress = '127.0.0.1'): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: relay.relay.redirectPort!, localAddress });
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(bytes);
  return String(await readAll(socket).catch(() => ''));
}

const location = (answer: string) => /^Location: (.*)\r$/m.exec(answer)?.[1];

test('names of the relay are led to https, with their path', async () => {
  for (const [host, path, to] of [
    ['portal.localhost', '/', `https://portal.localhost:${relay.publicPort}/`],
    ['Any.Portal.localhost.:80', '/a/b?c=%20d', `https://any.portal.localhost:${relay.publicPort}/a/b?c=%20d`],
    ['api.example', '//evil.example', `https://api.example:${relay.publicPort}//evil.example`],
  ]) {
    const answer = await say(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\n\r\nabc`);
    assert.match(answer, /^HTTP\/1\.1 308 /);
    assert.match(answer, /^Connection: close\r$/m);
    assert.equal(location(answer), to);
  }
});

test('curl follows it to the API', async () => {
  const curl = await requireTool('curl');
  const resolve = [
    '--resolve',
    `portal.localhost:${relay.relay.redirectPort}:127.0.0.1`,
    '--resolve',
    `portal.localhost:${relay.publicPort}:127.0.0.1`,
  ];
  const url = `http://portal.localhost:${relay.relay.redirectPort}/healthz`;
  const { stdout } = await runProgram(curl, ['-sSL', '--cacert', relay.caFile, ...resolve, url]);
  assert.match(String(stdout), /"status"|"ok"/);
});

test('other names, and what is no HTTP, are led nowhere', async () => {
  for (const host of [
    'evil.example',
    'portal.localhost.evil.example',
    'xportal.localhost',
    'a@portal.localhost',
    '[::1]',
  ]) {
    const answer = await say(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 404 /, host);
    assert.equal(location(answer), undefined);
  }
  assert.equal(await say('\x16\x03\x01\x00\x05hello'), '');
  assert.equal(await say(`GET / HTTP/1.1\r\nHost: portal.localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`), '');
});

test('requests that are pipelined get one answer, and a balancer sends its PROXY header', async () => {
  const ask = 'GET / HTTP/1.1\r\nHost: portal.localhost\r\n\r\n';
  assert.equal((await say(ask.repeat(50))).match(/HTTP\/1\.1 308/g)?.length, 1);
  const addresses = {
    source: { address: '192.0.2.7', port: 1_000 },
    destination: { address: '192.0.2.1', port: 80 },
  };
  assert.match(await say(Buffer.concat([proxyHeader(addresses), Buffer.from(ask)]), '127.0.0.9'), /308/);
  assert.equal(await say(ask, '127.0.0.9'), '');
});
