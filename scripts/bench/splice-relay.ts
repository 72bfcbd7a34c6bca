/** The bare splice to compare with: joins each public TCP connection to a waiting reverse one, plain or of node:tls. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface SpliceRelayOptions {
  leg: 'net' | 'tls';
  certFile: string;
  keyFile: string;
}
export interface SpliceRelayPorts {
  publicPort: number;
  reversePort: number;
}

const { leg, certFile, keyFile } = JSON.parse(process.argv[2]!) as SpliceRelayOptions;
const options = { allowHalfOpen: true, noDelay: true };
const ready: Socket[] = [];
const visitors: Socket[] = [];

function join(visitor: Socket, session: Socket): void {
  const cut = () => {
    visitor.destroy();
    session.destroy();
  };
  for (const socket of [visitor, session]) socket.on('error', cut);
  visitor.pipe(session);
  session.pipe(visitor);
}

const addSession = (session: Socket) => {
  session.on('error', () => {});
  const visitor = visitors.shift();
  if (visitor) join(visitor, session);
  else ready.push(session);
};
const publicServer = createServer({ ...options, pauseOnConnect: true }, (visitor) => {
  visitor.on('error', () => {});
  const session = ready.shift();
  if (session) join(visitor, session);
  else visitors.push(visitor);
}).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
const reverseServer =
  leg === 'net'
    ? createServer(options, addSession)
    : createTlsServer({ ...options, cert: readFileSync(certFile), key: readFileSync(keyFile) }, addSession);
reverseServer.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await Promise.all([once(publicServer, 'listening'), once(reverseServer, 'listening')]);
const ports: SpliceRelayPorts = {
  publicPort: (publicServer.address() as AddressInfo).port,
  reversePort: (reverseServer.address() as AddressInfo).port,
};
process.stdout.write(`${JSON.stringify(ports)}\n`);
