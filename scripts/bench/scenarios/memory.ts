import type { TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestHead } from '../exchange.js';
import { rootHost, startRelay } from '../own-route.js';
import { residentBytes } from '../proc.js';
import { concurrently } from '../rounds.js';
import type { SessionHolderOptions } from '../session-holder.js';
import { startSplice } from '../splice-route.js';
import { type Address, visit } from '../visitor.js';
import type { Bench, Scenario } from './scenario.js';

const kilobyte = 1024;
/** As the relay allows them. */
const perLease = 8;
const leasesPerAddress = 100;
const sessionsBefore = 64;
const connectionsBefore = 64;
const connectsAtOnce = 16;
/** Sent through each live connection and back, so that it has been in use. */
const echoBytes = 16_384;
const idleTarget = 32;
const liveTarget = 55;
const garbagePauseMs = 500;
/** Settled is what has not shrunk to less than this share of itself in so many rounds. */
const settledShare = 0.99;
const settledRounds = 6;
/** Thousands of sign-ins and handshakes. */
const holderStartTimeoutMs = 120_000;

/** Memory of idle reverse sessions, and of connections in use, each beside a bare splice of node:tls. */
export const memory: Scenario = async (bench) => {
  await idle(bench);
  await live(bench);
};

async function idle(bench: Bench): Promise<void> {
  const { workshop, report, relay, service, options } = bench;
  const count = options.idleSessions;
  const values: Record<string, number[]> = {};

  for (const unwrap of [true, false]) {
    // A relay of its own: what others left behind would make room that new sessions then seem not to need.
    const own = await startRelay(workshop);
    const hold = async (prefix: string, sessions: number) => {
      const { url, apiPort, caFile } = own;
      const how = { relay: url, apiPort, rootHost, caFile, unwrap, perLease, leasesPerAddress };
      const holder: SessionHolderOptions = { ...how, sessions, prefix };
      return await workshop.startScript<{ sessions: number; failed: number }>('session-holder', holder, {
        startTimeoutMs: holderStartTimeoutMs,
      });
    };
    const warmUp = await hold('warm-up', sessionsBefore);
    await workshop.stop(warmUp);
    const before = await memoryOf(own.pid);
    const holder = await hold('idle', count);
    if (holder.started.sessions !== count || holder.started.failed > 0) {
      throw new Error(`of ${count} sessions ${holder.started.sessions} opened and ${holder.started.failed} were lost`);
    }
    const name = unwrap ? 'portal' : 'portal --no-unwrap';
    values[name] = [((await memoryOf(own.pid)) - before) / count / kilobyte];
    await workshop.stop(holder);
    await workshop.stop(own.program);
  }

  for (const leg of ['net', 'tls'] as const) {
    const few = await startSplice(workshop, relay, leg, service.tls, sessionsBefore);
    const many = await startSplice(workshop, relay, leg, service.tls, sessionsBefore + count);
    const difference = (await memoryOf(many.relayPid)) - (await memoryOf(few.relayPid));
    values[many.name] = [difference / count / kilobyte];
    await few.stop();
    await many.stop();
  }
  report.add({
    scenario: `${count} idle reverse sessions`,
    metric: 'memory',
    unit: 'KB each',
    values,
    targets: [{ atMost: idleTarget }],
  });
  report.note(`idle sessions: ${perLease} a lease, their leases' memory and the sign-ins' included.`);
}

async function live({ report, routes, options }: Bench): Promise<void> {
  const values: Record<string, number[]> = {};
  for (const { name, address, relayPid } of routes) {
    if (relayPid === undefined) continue;
    const warmUp = await openAll(address, connectionsBefore);
    const before = await memoryOf(relayPid);
    const open = await openAll(address, options.liveConnections);
    values[name] = [((await memoryOf(relayPid)) - before) / options.liveConnections / kilobyte];
    for (const socket of [...warmUp, ...open]) socket.destroy();
    await sleep(garbagePauseMs);
  }
  report.add({
    scenario: `${options.liveConnections} live connections`,
    metric: 'memory',
    unit: 'KB each',
    values,
    targets: [{ atMost: liveTarget }],
  });
  report.note('memory: resident set after garbage collection, against that of the same process before.');
}

/** What is left once collecting garbage brings no more, for a process gives memory back late. */
async function memoryOf(pid: number): Promise<number> {
  let least = Infinity;
  for (let still = 0; still < settledRounds; still++) {
    process.kill(pid, 'SIGUSR2');
    await sleep(garbagePauseMs);
    const now = residentBytes(pid);
    if (now < least * settledShare) still = 0;
    least = Math.min(least, now);
  }
  return least;
}

async function openAll(address: Address, count: number): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  await concurrently(count, connectsAtOnce, async () => {
    const socket = await visit(address);
    socket.write(requestHead('echo', 0));
    socket.write(Buffer.alloc(echoBytes, 7));
    for (let got = 0; got < echoBytes; got += await nextChunk(socket));
    sockets.push(socket);
  });
  return sockets;
}

async function nextChunk(socket: TLSSocket): Promise<number> {
  return await new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('a live connection was cut'));
    socket.once('close', onClose);
    socket.once('data', (chunk: Buffer) => {
      socket.off('close', onClose);
      socket.pause();
      resolve(chunk.length);
    });
    socket.resume();
  });
}
