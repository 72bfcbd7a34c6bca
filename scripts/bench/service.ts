/**
 * The local service, a process of its own: bulk and echo (see exchange.ts) and HTTP, on one plain port and on one that
 * ends TLS with node:tls.
 */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { once } from 'node:events';
import { Content } from './content.js';
import { serveExchange } from './serve-exchange.js';

export interface ServiceOptions {
  certFile: string;
  keyFile: string;
}
export interface ServicePorts {
  plain: number;
  tls: number;
}

const { certFile, keyFile } = JSON.parse(process.argv[2]!) as ServiceOptions;
const content = new Content();
const body = Buffer.from('{"hello":"from a service"}\n');
const http = createHttpServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
});

const serve = (socket: Socket) => serveExchange(socket, content, (other) => http.emit('connection', other));
const options = { allowHalfOpen: true, noDelay: true };
const plain = createServer(options, serve).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
const tls = createTlsServer(
  { ...options, cert: readFileSync(certFile), key: readFileSync(keyFile), ALPNProtocols: ['http/1.1'] },
  serve,
).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
tls.on('tlsClientError', () => {});
await Promise.all([once(plain, 'listening'), once(tls, 'listening')]);
const ports: ServicePorts = {
  plain: (plain.address() as AddressInfo).port,
  tls: (tls.address() as AddressInfo).port,
};
process.stdout.write(`${JSON.stringify(ports)}\n`);
