import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { openSockets, startRelayProcess } from '../support/processes.js';
import { type TestRelay, freePort } from '../support/relay.js';
import { clientHello, readOpening } from '../support/tenant.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

// Strangers and one tenant attack a relay all at once, while another tenant's visitors come and go. What the attack may
// cost is counted: connections held, memory, and of the other tenant's visits the number that fail, which is none.

const publicLimit = 64;
const visits = 20;

interface Attack {
  /** Connections begun. */
  begun: number;
  /** Of those, the ones that the relay has ended. */
  ended: number;
  open: Set<Socket>;
}

interface Scene {
  relay: TestRelay;
  process: ChildProcess;
  attacks: Map<string, Attack>;
  /** Keeps so many connections of one kind open, each begun again when the relay ends it. */
  attack(name: string, port: number, from: string, many: number, act: (socket: Socket) => void): void;
}

async function scene(t: TestContext): Promise<Scene> {
  const dir = join(temporaryDirectory(t), 'state');
  const port = await freePort();
  const apiPort = await freePort();
  const limits = ['--max-connections-per-address', String(publicLimit), '--api-port', String(apiPort)];
  const { child, ca } = await startRelayProcess(t, dir, port, port, limits);
  const url = `https://portal.localhost:${port}`;
  const relay = { url, ca, publicPort: port, apiPort, rootHost: 'portal.localhost' } as TestRelay;
  const stop = new AbortController();
  const attacks = new Map<string, Attack>();
  t.after(() => {
    stop.abort();
    for (const { open } of attacks.values()) for (const socket of open) socket.destroy();
  });
  const attack: Scene['attack'] = (name, target, from, many, act) => {
    const state: Attack = { begun: 0, ended: 0, open: new Set() };
    attacks.set(name, state);
    const begin = () => {
      if (stop.signal.aborted) return;
      state.begun++;
      const socket = connect({ host: '127.0.0.1', port: target, localAddress: from, allowHalfOpen: true });
      state.open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('connect', () => act(socket));
      socket.once('end', () => socket.destroy()).resume();
      socket.once('close', () => {
        state.open.delete(socket);
        state.ended++;
        // Not in a loop without a breath: the attackers share this machine with those they attack.
        setTimeout(begin, 1_000);
      });
    };
    for (let i = 0; i < many; i++) begin();
  };
  return { relay, process: child, attacks, attack };
}

/** Writes for as long as the other side takes it. */
function flood(socket: Socket): void {
  const more = (error?: Error | null) => {
    if (!error && socket.writable) socket.write(Buffer.alloc(65_536), more);
  };
  more();
}

/** Resident memory of a process, in MB. */
function residentMb({ pid }: ChildProcess): number {
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return (Number(pages) * 4_096) / (1 << 20);
}

test('attacks by strangers and another tenant do not affect the visitors of a tenant', async (t) => {
  const { relay, process, attacks, attack } = await scene(t);
  const service = await startHttpService(t, (_request, response) => response.end('undisturbed'));
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'calm' });
  const visitAll = async () => {
    const outcomes = new Map<string, number>();
    for (let i = 0; i < visits; i++) {
      const outcome = await get(relay, hostname).then(
        ({ body }) => body,
        (error: Error) => error.message,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    return outcomes;
  };
  const undisturbed = new Map([['undisturbed', visits]]);
  assert.deepEqual(await visitAll(), undisturbed);
  const quietSockets = openSockets(process);
  const quietMb = residentMb(process);

  const { publicPort, apiPort } = relay;
  const [toNobody, toCalm] = [await clientHello('nobody.portal.localhost'), await clientHello(hostname)];
  const oversized = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(20_000)]);
  // Strangers, each kind from an address of its own, and more connections than one address may have.
  attack('silent', publicPort, '127.0.0.2', publicLimit + 8, () => {});
  attack('random', publicPort, '127.0.0.3', 8, (socket) => socket.write(randomBytes(2_000)));
  attack('oversized', publicPort, '127.0.0.4', 8, (socket) => socket.write(oversized));
  attack('truncated', publicPort, '127.0.0.5', 8, (socket) => socket.end(toCalm.subarray(0, 100)));
  attack('nameless', publicPort, '127.0.0.6', 8, (socket) => socket.write(toNobody));
  attack('dribbling', publicPort, '127.0.0.7', publicLimit, (socket) => {
    let sent = 0;
    const timer = setInterval(() => socket.write(toCalm.subarray(sent, ++sent)), 500);
    socket.once('close', () => clearInterval(timer));
  });
  // A real ClientHello for the calm tenant, and then nothing more.
  attack('unfinished', publicPort, '127.0.0.8', 4, (socket) => socket.write(toCalm));
  attack('replayed', publicPort, '127.0.0.9', 4, (socket) => socket.write(Buffer.concat([toCalm, toCalm])));
  attack('api silent', apiPort, '127.0.0.2', 100, () => {});
  attack('api random', apiPort, '127.0.0.3', 8, (socket) => socket.write(randomBytes(2_000)));
  const overTls = (socket: Socket, act: (tls: Socket) => void) => {
    const tls = connectTls({ socket, servername: relay.rootHost, ca: relay.ca });
    for (const event of ['error', 'end']) tls.once(event, () => socket.destroy());
    tls.once('secureConnect', () => act(tls.resume()));
  };
  attack('api slow head', apiPort, '127.0.0.4', 8, (socket) =>
    overTls(socket, (tls) => tls.write('GET /healthz HTTP/1.1\r\nX-Slow: ')),
  );
  attack('api endless body', apiPort, '127.0.0.5', 4, (socket) =>
    overTls(socket, (tls) => {
      tls.write(
        `POST /sdk/renew HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n`,
      );
      flood(tls);
    }),
  );

  // A tenant whose tunnel takes visitors and never reads, and whose visitors never read either.
  const stuck = await register(relay, { name: 'stuck', ttl: 600 });
  const toStuck = await clientHello(stuck.hostname);
  const pairs: Socket[] = [];
  t.after(() => pairs.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 12; i++) {
    const { socket: session } = await openSession(relay, sessionHeaders(stuck.token));
    const visitor = connect({ host: '127.0.0.1', port: publicPort, localAddress: '127.0.0.10' });
    pairs.push(session, visitor);
    visitor.on('error', () => {});
    session.on('error', () => {});
    visitor.write(toStuck);
    await readOpening(session);
    await readBytes(session, toStuck.length);
    session.pause();
    visitor.pause();
    flood(visitor);
    flood(session);
  }
  // And more visitors than sessions, who wait.
  attack('queueing', publicPort, '127.0.0.11', publicLimit, (socket) => socket.write(toStuck));

  for (let round = 0; round < 3; round++) assert.deepEqual(await visitAll(), undisturbed);
  // Until each kind of attack has run into what ends it: the longest deadline is ten seconds.
  const short = ['random', 'oversized', 'truncated', 'nameless', 'api random', 'api endless body'];
  const long = ['silent', 'dribbling', 'queueing', 'api silent', 'api slow head', 'unfinished'];
  const hasEnded = (name: string, times: number) => (attacks.get(name)?.ended ?? 0) >= times;
  await until(() => short.every((name) => hasEnded(name, 16)) && long.every((name) => hasEnded(name, 1)));
  assert.deepEqual(await visitAll(), undisturbed);

  const held = [...attacks.values()].reduce((sum, { open }) => sum + open.size, 0);
  const sockets = openSockets(process);
  assert.ok(sockets <= quietSockets + held + pairs.length + 32, `${sockets} sockets for ${held} hostile connections`);
  const grownMb = residentMb(process) - quietMb;
  assert.ok(grownMb < 200, `the attack made the relay grow by ${grownMb} MB`);
});
