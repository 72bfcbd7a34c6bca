/** A service behind one TLS server alone, ours with a local key or node:tls, to compare the two. */
import { once } from 'node:events';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { TicketKeys, TlsServerStream, schemesForKey, signWithScheme } from '../../src/tls/index.js';
import { Content } from './content.js';
import { serveExchange } from './serve-exchange.js';

export interface TlsServerScriptOptions {
  kind: 'ours' | 'node';
  certFile: string;
  keyFile: string;
}

const { kind, certFile, keyFile } = JSON.parse(process.argv[2]!) as TlsServerScriptOptions;
const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
const content = new Content();
const socketOptions = { allowHalfOpen: true, noDelay: true };

function ours() {
  const privateKey = createPrivateKey(key);
  const pem = cert.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const options = {
    chain: pem.map((block) => new X509Certificate(block).raw),
    schemes: schemesForKey(privateKey),
    sign: async ({ scheme, content: toSign }: { scheme: number; content: Buffer }) =>
      await Promise.resolve(signWithScheme(scheme, privateKey, toSign)),
    alpn: ['http/1.1'],
    tickets: new TicketKeys(),
  };
  return createServer(socketOptions, (socket: Socket) => {
    serveExchange(new TlsServerStream(socket, options), content, (stream) => stream.destroy());
  });
}

function nodes() {
  return createTlsServer({ ...socketOptions, cert, key, ALPNProtocols: ['http/1.1'] }, (socket) => {
    serveExchange(socket, content, (stream) => stream.destroy());
  });
}

const server = kind === 'ours' ? ours() : nodes();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await once(server, 'listening');
process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
