import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Random } from '../../test/tls/mutations.js';
import { type World, patternOf } from './world.js';

export interface HonestResult {
  requests: number;
  lost: string[];
  worstMs: number;
}

const deadlineMs = 20_000;

/** Visitors of the honest tenant, each of whose bytes is checked, one after the other until the signal. */
export async function visitHonestly(
  world: World,
  random: Random,
  signal: AbortSignal,
  result: HonestResult,
): Promise<void> {
  const kinds = [download, upload, portEcho, datagram];
  while (!signal.aborted) {
    const kind = kinds[random.below(kinds.length)]!;
    const began = performance.now();
    result.requests++;
    try {
      await Promise.race([kind(world, random), late()]);
    } catch (error) {
      if (result.lost.length < 1_000) result.lost.push(`${kind.name}: ${(error as Error).message}`);
    }
    result.worstMs = Math.max(result.worstMs, performance.now() - began);
  }
}

async function late(): Promise<never> {
  return await new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`not within ${deadlineMs} ms`)), deadlineMs).unref(),
  );
}

async function download(world: World, random: Random): Promise<void> {
  const size = random.below(4) === 0 ? random.below(1_000_000) : random.below(20_000);
  const host = random.below(2) === 0 ? world.bytesHost : world.httpHost;
  const { status, body } = await exchange(
    world,
    host,
    `GET /${size} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  );
  if (status !== 200 || !body.equals(patternOf(size))) throw new Error(`${status}, ${body.length} of ${size} bytes`);
}

async function upload(world: World, random: Random): Promise<void> {
  const sent = patternOf(1 + random.below(200_000));
  const host = random.below(2) === 0 ? world.bytesHost : world.httpHost;
  const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${sent.length}\r\nConnection: close\r\n\r\n`;
  const { status, body } = await exchange(world, host, head, sent);
  if (status !== 200 || !body.equals(sent)) throw new Error(`${status}, ${body.length} of ${sent.length} bytes`);
}

async function exchange(
  world: World,
  host: string,
  head: string,
  more: Buffer = Buffer.alloc(0),
): Promise<{ status: number; body: Buffer }> {
  const socket = connectTls({
    host: '127.0.0.1',
    port: world.port,
    servername: host,
    ca: world.ca,
    ALPNProtocols: ['http/1.1'],
  });
  try {
    const answer: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    const ended = once(socket, 'end');
    await Promise.race([once(socket, 'secureConnect'), ended]);
    socket.write(head);
    socket.write(more);
    await ended;
    const bytes = Buffer.concat(answer);
    const end = bytes.indexOf('\r\n\r\n');
    const headers = bytes.subarray(0, Math.max(end, 0)).toString();
    const body = bytes.subarray(end + 4);
    return {
      status: Number(headers.slice(9, 12)),
      body: /transfer-encoding: chunked/i.test(headers) ? unchunked(body) : body,
    };
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at);
    const size = parseInt(body.toString('latin1', at, end), 16);
    if (end < 0 || !(size > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

async function portEcho(world: World, random: Random): Promise<void> {
  const sent = patternOf(1 + random.below(100_000));
  const socket = connect({ host: '127.0.0.1', port: world.tcpPort });
  try {
    const back: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => back.push(chunk));
    const ended = once(socket, 'end');
    socket.end(sent);
    await ended;
    const got = Buffer.concat(back);
    if (!got.equals(sent)) throw new Error(`${got.length} of ${sent.length} bytes`);
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

/** A datagram may be lost: three in a row may not. */
async function datagram(world: World, random: Random): Promise<void> {
  const socket = createSocket('udp4');
  try {
    const sent = random.bytes(1 + random.below(1_000));
    const answered = once(socket, 'message') as Promise<[Buffer]>;
    for (let attempt = 0; attempt < 3; attempt++) {
      socket.send(sent, world.udpPort, '127.0.0.1');
      const answer = await Promise.race([
        answered,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 3_000)),
      ]);
      if (!answer) continue;
      if (!answer[0].equals(sent)) throw new Error('another datagram came back');
      return;
    }
    throw new Error('three datagrams were not answered');
  } finally {
    socket.close();
  }
}
