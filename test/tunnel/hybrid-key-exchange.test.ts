import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import { openTunnel, startHttpService } from '../support/tunnel.js';

const relay = sharedRelay();

test('Chromium and the tunnel agree on a key by X25519MLKEM768', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const browser = await startBrowser(t, relay);
  const page = await browser.newPage();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.enable');
  const groups: string[] = [];
  devtools.on('Network.responseReceived', ({ response }) => {
    const { keyExchangeGroup, keyExchange } = response.securityDetails ?? {};
    groups.push(keyExchangeGroup || keyExchange || '');
  });
  await page.goto(`https://${hostname}:${relay.publicPort}/`);
  assert.equal(await page.innerText('body'), 'hello');
  assert.equal(groups[0], 'X25519MLKEM768');
});
