import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expose, identityFromPrivateKey } from '../../../src/tunnel/index.js';
import { freshWallet } from '../../support/by-hand.js';
import type { Cause } from './cause.js';

/** A service with a page, whose picture is asked for until it is there. */
export const picture: Cause = async (bench, { method }) => {
  const { relay } = await bench.at('pictured');
  const service = createServer((_request, response) => response.end('a page'));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const tunnel = expose({ target: port, relay: relay.url, ca: relay.ca, identity, name: bench.freshName() });
  try {
    const { hostname } = await tunnel.ready();
    for (;;) {
      const answer = await bench.send({ method, path: `/thumbnail/${hostname}` }, 'pictured');
      if (answer.status !== 404) return answer;
      await delay(100);
    }
  } finally {
    await tunnel.close(0);
    service.close();
    service.closeAllConnections();
  }
};
