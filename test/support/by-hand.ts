import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TLSSocket, connect } from 'node:tls';
import { Wallet } from 'ethers';
import { Agent, request } from 'undici';
import type { TestRelay } from './relay.js';

// What a stranger's SDK would do, from the contract alone: HTTP, ethers and a TLS socket, none of our own client.

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed envelope. */
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any
}

export interface Call {
  body?: unknown;
  token?: string | undefined;
  headers?: Record<string, string>;
}

/** One request to the API listener on a connection of its own. A string body is sent as it is. */
export async function call(
  relay: Pick<TestRelay, 'apiPort' | 'ca' | 'rootHost'>,
  method: string,
  path: string,
  { body, token, headers }: Call = {},
): Promise<Answer> {
  const dispatcher = new Agent({ connect: { ca: relay.ca, servername: relay.rootHost } });
  try {
    const response = await request(`https://127.0.0.1:${relay.apiPort}${path}`, {
      method: method as 'GET',
      dispatcher,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { 'x-portal-access-token': token }),
        ...headers,
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    const parsed: unknown = text && isJson ? JSON.parse(text) : text || undefined;
    return { status: response.statusCode, headers: response.headers, body: parsed as Answer['body'] };
  } finally {
    await dispatcher.close();
  }
}

export interface HeldLease {
  wallet: Wallet;
  name: string;
  hostname: string;
  token: string;
  expiresAt: number;
  /** Public ports, where they were asked for. */
  tcpPort?: number | undefined;
  udpPort?: number | undefined;
  udpCount?: number | undefined;
}

export interface RegisterOptions {
  name: string;
  wallet?: Wallet;
  ttl?: number;
  tcp?: boolean;
  udp?: boolean;
  /** The very numbers of the ports asked for. */
  tcpPort?: number | undefined;
  udpPort?: number | undefined;
  udpCount?: number | undefined;
  group?: string;
  ownCertificate?: boolean;
  sessionWait?: number | undefined;
  hop?: object;
  metadata?: object;
}

/** Challenge, signature and registration of a fresh account (or the one given). */
export async function register(relay: TestRelay, options: RegisterOptions): Promise<HeldLease> {
  const { name, wallet = freshWallet(), ttl, group, ownCertificate, sessionWait, hop, metadata } = options;
  const { tcp, udp, tcpPort, udpPort, udpCount } = options;
  const identity = { name, address: wallet.address };
  const ports = { tcp_enabled: tcp, udp_enabled: udp, tcp_port: tcpPort, udp_port: udpPort, udp_count: udpCount };
  const asked = {
    identity,
    ttl,
    ...ports,
    group,
    own_certificate: ownCertificate,
    session_wait: sessionWait,
    hop,
    metadata,
  };
  const challenge = await call(relay, 'POST', '/sdk/register/challenge', { body: asked });
  if (challenge.status !== 201) throw new Error(`challenge: ${JSON.stringify(challenge.body)}`);
  const { challenge_id, siwe_message } = challenge.body.data;
  const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  const registered = await call(relay, 'POST', '/sdk/register', { body });
  if (registered.status !== 201) throw new Error(`register: ${JSON.stringify(registered.body)}`);
  const { hostname, access_token, expires_at, tcp_addr, udp_addr, udp_count } = registered.body.data;
  return {
    wallet,
    name,
    hostname,
    token: access_token,
    expiresAt: Date.parse(expires_at),
    tcpPort: portOf(tcp_addr),
    udpPort: portOf(udp_addr),
    udpCount: udp_count,
  };
}

const portOf = (address: string | undefined) => (address === undefined ? undefined : Number(address.split(':').at(-1)));

export function freshWallet(): Wallet {
  return new Wallet(Wallet.createRandom().privateKey);
}

/** A TLS connection to the API listener, or to another port of the relay. */
export async function connectTls(relay: TestRelay, port = relay.apiPort): Promise<TLSSocket> {
  const options = {
    host: '127.0.0.1',
    port,
    servername: relay.rootHost,
    ca: relay.ca,
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true,
  };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  return socket;
}

export interface ConnectAnswer {
  socket: TLSSocket;
  status: number;
  head: string;
  /** The error envelope, where there is one. */
  body?: any; // eslint-disable-line @typescript-eslint/no-explicit-any
}

/** Sends `GET /sdk/connect` over the raw carrier and reads the answer's head, and its body unless it switched. */
export async function openSession(
  relay: TestRelay,
  headers: Record<string, string>,
  port = relay.apiPort,
): Promise<ConnectAnswer> {
  return await openSessionOn(await connectTls(relay, port), relay, headers);
}

/** The same on a connection that stands. */
export async function openSessionOn(
  socket: TLSSocket,
  relay: TestRelay,
  headers: Record<string, string>,
): Promise<ConnectAnswer> {
  const lines = Object.entries({ Host: relay.rootHost, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /sdk/connect HTTP/1.1\r\n${lines.join('')}\r\n`);
  const head = (await readUntil(socket, '\r\n\r\n')).toString('latin1');
  const status = Number(head.split(' ')[1]);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  const body = length > 0 ? JSON.parse((await readBytes(socket, length)).toString()) : undefined;
  return { socket, status, head, body };
}

export const sessionHeaders = (token: string) => ({ 'X-Portal-Access-Token': token, 'X-Portal-Binding': '1' });

/** Reads exactly `length` bytes. @throws Error when the stream ends first */
export async function readBytes(
  stream: NodeJS.ReadableStream & { readableEnded?: boolean },
  length: number,
): Promise<Buffer> {
  const readable = stream as TLSSocket;
  const parts: Buffer[] = [];
  for (let missing = length; ;) {
    // What is there, or a wait for more than the stream buffers would never end.
    const bytes = readable.read(Math.min(missing, readable.readableLength || 1)) as Buffer | null;
    if (bytes) parts.push(bytes);
    missing -= bytes?.length ?? 0;
    if (missing === 0) return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    if (bytes) continue;
    if (readable.readableEnded || readable.destroyed) throw new Error(`ended before ${length} bytes`);
    const settled = new AbortController();
    const event = (name: string) => once(readable, name, { signal: settled.signal });
    await Promise.race([event('readable'), event('end'), event('close')]).finally(() => settled.abort());
  }
}

async function readUntil(stream: TLSSocket, mark: string): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  while (!bytes.includes(mark)) bytes = Buffer.concat([bytes, await readBytes(stream, 1)]);
  return bytes;
}

/** Settles once the other side has nothing more to say, in whichever way. */
export async function ended(socket: Socket): Promise<void> {
  socket.resume();
  socket.on('error', () => {});
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>((resolve) => socket.once('end', resolve).once('close', resolve));
  }
  socket.destroy();
}

/** All that is read until the end, leaving the writing side as it is (unlike `for await`, which destroys the stream). */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.resume();
  if (!stream.readableEnded) await once(stream, 'end');
  return Buffer.concat(chunks);
}
