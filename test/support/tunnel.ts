import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IncomingMessage, type RequestListener, createServer } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import type { TestContext } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import {
  expose,
  identityFromPrivateKey,
  type ExposeOptions,
  type Tunnel,
  type TunnelStatus,
} from '../../src/tunnel/index.js';
import { freshWallet } from './by-hand.js';
import type { TestRelay } from './relay.js';

// Everything opened here is ended when its test is over, however that goes.

export interface LocalServer {
  port: number;
  /** Closes it and cuts what is open. */
  stop(): Promise<void>;
}

/** An HTTP service on a free loopback port, or on the one given. */
export async function startHttpService(t: TestContext, listener: RequestListener, port = 0): Promise<LocalServer> {
  return await listening(t, createServer(listener), port);
}

/** A TCP service whose connections end their two directions separately. */
export async function startTcpService(t: TestContext, listener: (socket: Socket) => void): Promise<LocalServer> {
  return await listening(t, createTcpServer({ allowHalfOpen: true, noDelay: true }, listener), 0);
}

/** Puts a server on a loopback port, 0 for any that is free. */
export async function listening(t: TestContext, server: Server, port: number): Promise<LocalServer> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    for (const socket of open) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  t.after(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

export interface OpenTunnel {
  tunnel: Tunnel;
  hostname: string;
  url: string;
  statuses: TunnelStatus[];
}

/** A tunnel of a fresh identity that already serves. */
export async function openTunnel(
  t: TestContext,
  relay: { url: string; ca: string },
  target: string | number | undefined,
  options: Partial<ExposeOptions> = {},
): Promise<OpenTunnel> {
  const { tunnel, statuses } = startTunnel(t, relay, target, options);
  const { hostname, url } = await tunnel.ready();
  return { tunnel, hostname, url, statuses };
}

const needRequests = ['http', 'hostHeader', 'routes', 'basicAuth', 'oidc', 'wallets', 'webhooks', 'inspect'];

/** The same, not waited for. */
export function startTunnel(
  t: TestContext,
  relay: { url: string; ca: string },
  target: string | number | undefined,
  options: Partial<ExposeOptions> = {},
): { tunnel: Tunnel; statuses: TunnelStatus[] } {
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  // Bytes, unless requests are asked for: a service that is asked what it speaks has one connection more.
  const isRaw = typeof target === 'number' && !needRequests.some((option) => option in options);
  const http = isRaw ? false : undefined;
  const tunnel = expose({ target, relay: relay.url, ca: relay.ca, identity, http, closeGraceMs: 2_000, ...options });
  t.after(() => tunnel.close(0));
  const statuses: TunnelStatus[] = [];
  tunnel.on('status', (status) => statuses.push(status));
  return { tunnel, statuses };
}

/** Resolves with the first status that fits, of those to come. */
export async function statusWhere(tunnel: Tunnel, fits: (status: TunnelStatus) => boolean): Promise<TunnelStatus> {
  return await new Promise((resolve) => {
    const listener = (status: TunnelStatus) => {
      if (!fits(status)) return;
      tunnel.off('status', listener);
      resolve(status);
    };
    tunnel.on('status', listener);
  });
}

export interface VisitorAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

/** One request by a visitor of a public name, on a connection of its own. */
export async function get(
  relay: TestRelay,
  hostname: string,
  path = '/',
  options: RequestOptions = {},
): Promise<VisitorAnswer> {
  const response = await open(relay, hostname, path, options);
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += chunk as string;
  return { status: response.statusCode as number, headers: response.headers, body };
}

/** One request with a body. */
export async function send(
  relay: TestRelay,
  hostname: string,
  path: string,
  body: string,
  options: RequestOptions = {},
): Promise<VisitorAnswer> {
  const { headers = {}, ...others } = options;
  const length = 'Transfer-Encoding' in headers ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const request = httpsRequest(
    visitorOptions(relay, hostname, path, { ...others, headers: { ...headers, ...length } as Record<string, string> }),
  );
  request.on('error', () => {});
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  if ('Expect' in headers) await once(request, 'continue');
  request.end(body);
  const [response] = await answered;
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk as string;
  return { status: response.statusCode as number, headers: response.headers, body: text };
}

/** A visitor of a public `tcp://` URL, whose two directions end separately. */
export async function visitPort(t: TestContext, url: string | undefined, localAddress?: string): Promise<Socket> {
  const port = Number(/^tcp:\/\/portal\.localhost:(\d+)$/.exec(url ?? '')?.[1]);
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true, noDelay: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** The same, its body still to be read. */
export async function open(
  relay: TestRelay,
  hostname: string,
  path = '/',
  options: RequestOptions = {},
): Promise<IncomingMessage> {
  const request = httpsRequest(visitorOptions(relay, hostname, path, options));
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** How `node:https` reaches a public name of a relay on loopback. */
export function visitorOptions(
  relay: TestRelay,
  hostname: string,
  path: string,
  options: RequestOptions & { session?: Buffer | undefined } = {},
): RequestOptions {
  return {
    host: '127.0.0.1',
    port: relay.publicPort,
    servername: hostname,
    ca: relay.ca,
    agent: false,
    path,
    ...options,
    headers: { Host: `${hostname}:${relay.publicPort}`, ...options.headers },
  };
}

/** A visitor's bare TLS connection to a public name, whose two directions end separately. */
export async function visitTls(relay: TestRelay, hostname: string): Promise<TLSSocket> {
  const options = {
    host: '127.0.0.1',
    port: relay.publicPort,
    servername: hostname,
    ca: relay.ca,
    allowHalfOpen: true,
  };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  return socket;
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'portal-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
