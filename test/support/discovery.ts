import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Wallet } from 'ethers';
import { developmentCaFile, developmentCertificate } from '../../src/relay/certs/development-ca.js';
import type { DiscoveryTimes } from '../../src/relay/discovery/discovery.js';
import { signDescriptor, type WireDescriptor } from '../../src/sdk/discovery/relay-descriptor.js';
import { call, freshWallet } from './by-hand.js';
import { certificateFiles } from './certificates.js';
import { freePort, startTestRelay, type TestRelay } from './relay.js';

/** So that a test need not wait. */
export const quickTimes: Partial<DiscoveryTimes> = {
  pollIntervalMs: 500,
  fetchSpacingMs: 5,
  backoff: { firstMs: 50, longestMs: 500 },
  announceIntervalMs: 500,
};

export interface Site {
  url: URL;
  stateDir: string;
  caPem: string;
}

/** Where relays are going to be: URLs on loopback, and a certificate authority each. */
export async function makeSites(t: TestContext, names: string[]): Promise<Site[]> {
  return await Promise.all(
    names.map(async (name) => {
      const stateDir = mkdtempSync(join(tmpdir(), 'portal-relay-'));
      t.after(() => rmSync(stateDir, { recursive: true, force: true }));
      await developmentCertificate(stateDir, `${name}.localhost`);
      const url = new URL(`https://${name}.localhost:${await freePort()}`);
      return { url, stateDir, caPem: readFileSync(developmentCaFile(stateDir), 'utf8') };
    }),
  );
}

export interface SiteOptions {
  bootstraps: URL[];
  /** PEM of all that is to be trusted. */
  ca: string;
  allowPrivate?: boolean;
  times?: Partial<DiscoveryTimes>;
  timeoutMs?: number;
}

/** A relay with discovery on. May be started again after it was stopped. */
export async function startSite(
  t: TestContext,
  site: Site,
  { bootstraps, ca, allowPrivate = true, times = quickTimes, timeoutMs }: SiteOptions,
): Promise<TestRelay> {
  const relay = await startTestRelay({
    portalUrl: site.url,
    sniPort: Number(site.url.port),
    stateDir: site.stateDir,
    discovery: { bootstraps, ca, allowPrivate, times, timeoutMs },
  });
  t.after(() => relay.stop());
  return relay;
}

export async function listed(relay: TestRelay): Promise<WireDescriptor[]> {
  const { status, body } = await call(relay, 'GET', '/discovery');
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.data.relays as WireDescriptor[];
}

/** A descriptor as a relay with this key would sign it. */
export function descriptorOf(
  url: string,
  wallet: Wallet = freshWallet(),
  changes: Partial<WireDescriptor> = {},
): WireDescriptor {
  const fields = {
    address: wallet.address,
    version: '5',
    issued_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 300_000).toISOString(),
    api_https_addr: url,
    supports_overlay: false,
    supports_udp: false,
    supports_tcp: false,
    active_connections: 0,
    tcp_bps: 0,
    ...changes,
  };
  return signDescriptor(fields, wallet.privateKey);
}

/** HTTPS on loopback that answers whatever its test wants, and counts who comes. */
export class HostileRelay {
  readonly wallet = freshWallet();
  connections = 0;
  requests = 0;
  announced: unknown[] = [];
  /** What `GET /discovery` answers: a list of descriptors, or by hand. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};

  private constructor(
    readonly url: URL,
    readonly caPem: string,
  ) {}

  static async start(t: TestContext, name = 'hostile'): Promise<HostileRelay> {
    const certificate = await certificateFiles(`${name}.localhost`);
    t.after(() => certificate.remove());
    const server = createServer({ cert: certificate.certPem, key: readFileSync(certificate.keyFile) });
    const open = new Set<Socket>();
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const hostile = new HostileRelay(new URL(`https://${name}.localhost:${port}`), certificate.certPem);
    server.on('connection', (socket: Socket) => {
      hostile.connections++;
      open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => open.delete(socket));
    });
    server.on('request', (request, response) => {
      hostile.requests++;
      hostile.answer(request, response);
    });
    t.after(async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    return hostile;
  }

  own(changes: Partial<WireDescriptor> = {}): WireDescriptor {
    return descriptorOf(this.url.origin, this.wallet, changes);
  }

  /** Answers with these descriptors from now on, made again each time. */
  serve(relays: () => unknown): void {
    this.answer = (_request, response) => {
      const data = { protocol_version: '5', generated_at: new Date().toISOString(), relays: relays() };
      say(response, 200, JSON.stringify({ ok: true, data }));
    };
  }
}

/** A port on loopback that takes connections and never says anything. */
export class SilentPort {
  readonly open = new Set<Socket>();
  /** So far. */
  connections = 0;

  private constructor(readonly port: number) {}

  static async start(t: TestContext): Promise<SilentPort> {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const silent = new SilentPort((server.address() as AddressInfo).port);
    server.on('connection', (socket: Socket) => {
      silent.connections++;
      silent.open.add(socket);
      socket.on('error', () => {}).once('close', () => silent.open.delete(socket));
      socket.resume();
    });
    t.after(async () => {
      for (const socket of silent.open) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    return silent;
  }
}

export function say(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
}
