import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type HeldLease, register, sessionHeaders } from '../../test/support/by-hand.js';
import type { TestRelay } from '../../test/support/relay.js';
import { type Random, inChunks, mutate } from '../../test/tls/mutations.js';
import { type World, rootHost } from './world.js';

/** Each attack comes from one of these, never from where the honest ones are. */
const sources = Array.from({ length: 40 }, (_, index) => `127.0.0.${index + 10}`);
const corpus = fileURLToPath(new URL('../../../test/corpus/', import.meta.url));
const read = (name: string) => readdirSync(corpus + name).map((file) => readFileSync(`${corpus}${name}/${file}`));
const hellos = read('client-hello');
const heads = read('request-head');
const frames = [...read('frames'), ...read('unwrapped-records'), ...read('session-opening')];

export type Attack = (world: World, random: Random) => Promise<void>;

const pick = <T>(from: readonly T[], random: Random): T => from[random.below(from.length)]!;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const over = async (socket: Socket | TLSSocket, ms: number) => {
  if (!socket.closed) await Promise.race([once(socket, 'close').catch(() => undefined), pause(ms)]);
  socket.destroy();
};

function dial(world: World, random: Random, port = world.port): Socket {
  const socket = connect({ host: '127.0.0.1', port, localAddress: pick(sources, random), allowHalfOpen: true });
  return socket.on('error', () => undefined);
}

function dialTls(world: World, random: Random, servername: string, alpn = ['http/1.1']): TLSSocket {
  const socket = connectTls({ socket: dial(world, random), servername, ca: world.ca, ALPNProtocols: alpn });
  return socket.on('error', () => undefined);
}

async function secure(socket: TLSSocket): Promise<boolean> {
  await Promise.race([
    once(socket, 'secureConnect').catch(() => undefined),
    once(socket, 'close').catch(() => undefined),
    pause(5_000),
  ]);
  return socket.authorized && !socket.destroyed;
}

/** One after the other, with what a connection can be done to in between. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 600 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('end' as const, 'reset' as const, 'pause' as const, 'resume' as const),
    }),
  },
);

async function takeSteps(socket: Socket, random: Random): Promise<void> {
  const [steps] = fc.sample(fc.array(step, { maxLength: 12 }), { seed: random.below(1 << 30), numRuns: 1 });
  for (const each of steps!) {
    if (socket.destroyed) return;
    if (each.do === 'write') socket.write(each.bytes);
    else if (each.do === 'wait') await pause(each.ms);
    else if (each.do === 'end') socket.end();
    else if (each.do === 'reset') socket.resetAndDestroy();
    else socket[each.do]();
  }
}

function pipelined(random: Random, host: string): string {
  const requests = [
    `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nExpect: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    `CONNECT x:1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nGET /`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    `POST /sdk/renew HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"ttl":1}`,
    `GET /docs/reference.js HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/0.9\r\n\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    `GET /${'a'.repeat(random.below(20_000))} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${' \t'.repeat(random.below(3_000))}a\r\n\r\n`,
  ];
  return Array.from({ length: 1 + random.below(5) }, () => pick(requests, random)).join('');
}

async function sendAll(socket: Socket, bytes: Buffer, random: Random): Promise<void> {
  for (const chunk of inChunks(bytes, random).slice(0, 40)) {
    if (socket.destroyed) return;
    socket.write(chunk);
    if (random.below(4) === 0) await pause(random.below(20));
  }
}

let hostile: Promise<HeldLease> | undefined;

export const attacks: Record<string, Attack> = {
  async 'random bytes'(world, random) {
    const socket = dial(world, random, pick([world.port, world.tcpPort], random));
    await takeSteps(socket, random);
    await over(socket, 200);
  },
  async 'mutated ClientHello'(world, random) {
    const socket = dial(world, random);
    await sendAll(socket, mutate(pick(hellos, random), random), random);
    if (random.below(2) === 0) socket.end();
    await over(socket, 200);
  },
  async 'slow ClientHello, held'(world, random) {
    const held = Array.from({ length: 20 }, () => dial(world, random));
    for (const socket of held) socket.write(pick(hellos, random).subarray(0, 1 + random.below(60)));
    await pause(random.below(2_000));
    for (const socket of held) socket[pick(['destroy', 'resetAndDestroy'] as const, random)]();
  },
  async 'connect and reset'(world, random) {
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const socket = dial(world, random, pick([world.port, world.tcpPort], random));
        await Promise.race([once(socket, 'connect').catch(() => undefined), pause(1_000)]);
        socket.resetAndDestroy();
      }),
    );
  },
  async 'pipelined requests to the API'(world, random) {
    const socket = dialTls(world, random, rootHost);
    if (!(await secure(socket))) return socket.destroy() as never;
    await sendAll(socket, Buffer.from(pipelined(random, rootHost)), random);
    if (random.below(2) === 0) socket.resume();
    await over(socket, 1_000);
  },
  async 'mutated connect requests'(world, random) {
    const socket = dialTls(world, random, rootHost, pick([['http/1.1'], ['portal-reverse', 'http/1.1']], random));
    if (!(await secure(socket))) return socket.destroy() as never;
    socket.resume();
    await sendAll(socket, mutate(pick(heads, random), random), random);
    await over(socket, 200);
  },
  async 'forged tokens'(world, random) {
    const socket = dialTls(world, random, rootHost);
    if (!(await secure(socket))) return socket.destroy() as never;
    socket.resume();
    for (const path of ['/sdk/renew', '/v1/sign', '/sdk/unregister', '/sdk/connect']) {
      const token = random.bytes(100).toString('base64url');
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: ${rootHost}\r\nX-Portal-Access-Token: ${token}\r\nContent-Length: 0\r\n\r\n`,
      );
    }
    await over(socket, 200);
  },
  async 'challenges without end'(world, random) {
    const socket = dialTls(world, random, rootHost);
    if (!(await secure(socket))) return socket.destroy() as never;
    socket.resume();
    for (let count = 0; count < 20; count++) {
      const body = JSON.stringify({
        identity: { name: `n${random.below(1e6)}`, address: `0x${random.bytes(20).toString('hex')}` },
      });
      socket.write(
        `POST /sdk/register/challenge HTTP/1.1\r\nHost: ${rootHost}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    await over(socket, 200);
  },
  async 'visitors that read nothing'(world, random) {
    const host = pick([world.bytesHost, world.httpHost, rootHost], random);
    const path = host === rootHost ? '/docs/reference.js' : '/1000000';
    const held = Array.from({ length: 4 }, () => dialTls(world, random, host));
    for (const socket of held) {
      if (!(await secure(socket))) continue;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    }
    await pause(random.below(2_000));
    for (const socket of held) socket[pick(['destroy', 'end'] as const, random)]();
    await pause(100);
    for (const socket of held) socket.destroy();
  },
  async 'pipelined requests to a tenant'(world, random) {
    const host = pick([world.httpHost, world.bytesHost, `ws.${rootHost}`], random);
    const socket = dialTls(world, random, host);
    if (!(await secure(socket))) return socket.destroy() as never;
    socket.resume();
    const bytes = Buffer.from(pipelined(random, host));
    await sendAll(socket, random.below(2) === 0 ? mutate(bytes, random) : bytes, random);
    await over(socket, 200);
  },
  async 'TLS broken behind the handshake'(world, random) {
    const raw = dial(world, random);
    const socket = connectTls({ socket: raw, servername: pick([world.bytesHost, rootHost], random), ca: world.ca });
    socket.on('error', () => undefined);
    if (!(await secure(socket))) return socket.destroy() as never;
    raw.write(random.bytes(1 + random.below(300)));
    await over(raw, 200);
    socket.destroy();
  },
  async 'datagrams of every size'(world, random) {
    const socket = createSocket('udp4');
    socket.on('error', () => undefined);
    socket.bind(0, pick(sources, random));
    await once(socket, 'listening');
    for (let count = 0; count < 50; count++)
      socket.send(
        random.bytes(random.below(1_400)),
        pick([world.udpPort, world.port], random),
        '127.0.0.1',
        () => undefined,
      );
    await pause(50);
    socket.close();
  },
  async 'a hostile tenant'(world, random) {
    const relay = { apiPort: world.port, publicPort: world.port, ca: world.ca, rootHost } as TestRelay;
    hostile ??= register(relay, { name: 'hostile', ttl: 600 });
    const lease = await hostile.catch(() => undefined);
    if (!lease) return void (hostile = undefined);
    const session = dialTls(world, random, rootHost);
    if (!(await secure(session))) return session.destroy() as never;
    session.resume();
    const headers = Object.entries({ Host: rootHost, ...sessionHeaders(lease.token), 'X-Portal-Recycle': '1' });
    session.write(
      `GET /sdk/connect HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    const visitor = dialTls(world, random, lease.hostname);
    await Promise.race([once(session, 'data').catch(() => undefined), pause(1_000)]);
    await sendAll(session, mutate(pick(frames, random), random), random);
    await over(session, 300);
    visitor.destroy();
  },
};
