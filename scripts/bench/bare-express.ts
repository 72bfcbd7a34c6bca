/** Bare express over HTTPS, to compare the API with: the same answers, nothing behind them. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';

export interface BareExpressOptions {
  certFile: string;
  keyFile: string;
  /** What a tunnel's status is. */
  status: object;
}

const { certFile, keyFile, status } = JSON.parse(process.argv[2]!) as BareExpressOptions;
const app = express();
app.get('/healthz', (_request, response) => void response.json({ ok: true, data: { status: 'ok' } }));
app.get('/tunnel/status', (_request, response) => void response.json(status));
const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, app);
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await once(server, 'listening');
process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
