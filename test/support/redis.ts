import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { freePort } from './relay.js';
import { requireTool } from './tools.js';
import { temporaryDirectory } from './tunnel.js';
import { until } from './until.js';

/** A Redis of a test's own, in memory. */
export interface RedisServer {
  /** `redis://127.0.0.1:PORT` */
  url: string;
  port: number;
  /** Ends it, with all that is in it. */
  kill(): Promise<void>;
  /** Starts it again, empty. */
  start(): Promise<void>;
  /** It neither answers nor closes connections, until it does again. */
  freeze(isFrozen: boolean): void;
}

/** @param options of `redis-server`, besides the port */
export async function startRedis(t: TestContext, options: string[] = [], port?: number): Promise<RedisServer> {
  const program = await requireTool('redis-server');
  const folder = temporaryDirectory(t);
  const at = port ?? (await freePort());
  let child: ChildProcess | undefined;
  const start = async () => {
    const common = ['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    child = spawn(program, [...common, ...options], { stdio: 'ignore' });
    await until(() => answers(at));
  };
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  t.after(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return {
    url: `redis://127.0.0.1:${at}`,
    port: at,
    kill,
    start,
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return /^(?:\+PONG|-NOAUTH)/.test(answer.toString());
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
