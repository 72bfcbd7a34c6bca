/**
 * Players of a game, a process of its own: each sends to the same port from its own, at one rate, and takes what is sent
 * back. Prints what came of it.
 */
import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadOptions {
  /** Loopback by default. */
  host?: string;
  port: number;
  flows: number;
  /** Datagrams a second of all flows together. */
  rate: number;
  seconds: number;
  payloadBytes: number;
}

export interface LoadResult {
  sent: number;
  /** Answers that came to the flow that had asked. */
  answered: number;
  /** Answers that came to another. */
  astray: number;
  /** Median and 99th percentile of the round trips, in milliseconds. */
  p50: number;
  p99: number;
  seconds: number;
}

const tickMs = 2;
/** For what is still under way. */
const settleMs = 500;

const { host = '127.0.0.1', port, flows, rate, seconds, payloadBytes } = JSON.parse(process.argv[2]!) as LoadOptions;
const payload = Buffer.alloc(payloadBytes);
const trips: number[] = [];
const result: LoadResult = { sent: 0, answered: 0, astray: 0, p50: 0, p99: 0, seconds: 0 };

async function open(number: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.connect(port, host);
  await once(socket, 'connect');
  socket.on('message', (answer) => {
    if (answer.readUInt32BE(0) !== number) result.astray++;
    else {
      result.answered++;
      trips.push(performance.now() - answer.readDoubleBE(4));
    }
  });
  return socket;
}

const sockets = await Promise.all(Array.from({ length: flows }, (_, number) => open(number)));
const began = performance.now();
for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - began) {
  for (const due = (elapsed / 1000) * rate; result.sent < due; result.sent++) {
    const number = result.sent % flows;
    payload.writeUInt32BE(number, 0);
    payload.writeDoubleBE(performance.now(), 4);
    sockets[number]!.send(Buffer.from(payload));
  }
  await sleep(tickMs);
}
result.seconds = (performance.now() - began) / 1000;
await sleep(settleMs);
trips.sort((a, b) => a - b);
result.p50 = trips[Math.floor(trips.length / 2)] ?? 0;
result.p99 = trips[Math.floor(trips.length * 0.99)] ?? 0;
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit();
