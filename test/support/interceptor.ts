import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { ClientHelloReader } from '../../src/tls/index.js';
import { freePort, startTestRelay, type TestRelay } from './relay.js';
import { listening } from './tunnel.js';

export interface InterceptedRelay {
  relay: TestRelay;
  /** What becomes of visitors of tenants from here on. */
  tenants: 'intercept' | 'pass' | 'refuse';
  /** What visitors said, as the interceptor read it. */
  overheard: string;
}

/**
 * A relay that does what it must not: behind its public address it ends tenants' TLS itself, which it can since it holds the
 * certificate's key, reads along, and opens a TLS connection of its own to the tenant. Its API is untouched.
 */
export async function startInterceptedRelay(t: TestContext): Promise<InterceptedRelay> {
  // One port on two addresses: names lead to the interceptor, which alone knows the other.
  const sniPort = await freePort();
  const behind = '127.0.0.2';
  const relay = await startTestRelay({ host: behind, sniPort });
  t.after(() => relay.stop());
  const state: InterceptedRelay = { relay, tenants: 'intercept', overheard: '' };

  const keyFile = join(relay.config.stateDir, 'development-key.pem');
  const tls = createTlsServer({ cert: relay.certificatePem, key: readFileSync(keyFile) });
  tls.on('tlsClientError', () => undefined);
  tls.on('secureConnection', (visitor) => {
    const servername = visitor.servername as unknown as string;
    const tenant = connectTls({ host: behind, port: sniPort, servername, ca: relay.ca });
    visitor.on('data', (chunk: Buffer) => (state.overheard += chunk.toString('latin1')));
    pass(visitor, tenant);
  });

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const hello = new ClientHelloReader();
    const onData = (chunk: Buffer) => {
      const name = hello.push(chunk)?.serverName;
      if (name === undefined) return;
      socket.pause().off('data', onData);
      socket.unshift(hello.buffered());
      const fate = name === relay.rootHost ? 'pass' : state.tenants;
      if (fate === 'intercept') tls.emit('connection', socket);
      else if (fate === 'refuse') socket.destroy();
      else pass(socket, connectTcp({ host: behind, port: sniPort, allowHalfOpen: true }));
    };
    socket.on('data', onData);
  });
  await listening(t, server, sniPort);
  return state;
}

/** Passes all on, both ways. @param bytes gets what passes, as it comes */
export function pass(one: Socket, other: Socket, bytes?: Buffer[]): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    if (bytes) from.on('data', (chunk: Buffer) => bytes.push(chunk));
    from.pipe(to);
  }
}
