/**
 * The other end of a bare splice, beside the service. Dials a splice relay and keeps connections waiting there, or accepts
 * those of a proxy; each is joined to the service.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';

export type SpliceAgentOptions = { servicePort: number } & (
  | { mode: 'dial'; leg: 'net' | 'tls'; port: number; waiting: number; caFile: string; servername: string }
  | { mode: 'accept'; certFile: string; keyFile: string }
);

const options = JSON.parse(process.argv[2]!) as SpliceAgentOptions;

function serve(outer: Socket): void {
  const inner = connect({ port: options.servicePort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const cut = () => {
    outer.destroy();
    inner.destroy();
  };
  for (const socket of [outer, inner]) socket.on('error', cut);
  outer.pipe(inner);
  inner.pipe(outer);
}

if (options.mode === 'accept') {
  const { certFile, keyFile } = options;
  const cert = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createTlsServer({ ...cert, allowHalfOpen: true, noDelay: true }, serve);
  server.on('tlsClientError', () => {});
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
  await once(server, 'listening');
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
} else {
  const { leg, port, waiting, servername } = options;
  const ca = readFileSync(options.caFile);
  const open = async () => {
    const to = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true };
    const socket = leg === 'net' ? connect(to) : connectTls({ ...to, ca, servername });
    socket.on('error', () => {});
    // The visitor speaks first, and the relay has nothing to say before.
    socket.once('readable', () => {
      void open();
      if (socket.readableLength > 0) serve(socket);
    });
    await once(socket, leg === 'net' ? 'connect' : 'secureConnect');
  };
  const dialsAtOnce = 16;
  for (let opened = 0; opened < waiting; opened += dialsAtOnce) {
    await Promise.all(Array.from({ length: Math.min(dialsAtOnce, waiting - opened) }, open));
  }
  process.stdout.write(`${JSON.stringify({ waiting })}\n`);
}
