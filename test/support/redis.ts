import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
    const started = spawn(program, [...common, ...options], { stdio: 'ignore' });
    child = started;
    await until(() => {
      if (started.exitCode !== null)
        throw new Error(`redis-server ended with ${started.exitCode}: ${options.join(' ')}`);
      return answers(at);
    });
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

/** Has a Sentinel watch a master by the name `portal`, which hands over to a replica within a second or two. @returns its port */
export async function startSentinel(t: TestContext, masterPort: number): Promise<number> {
  const folder = temporaryDirectory(t);
  const port = await freePort();
  const config = join(folder, 'sentinel.conf');
  writeFileSync(
    config,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor portal 127.0.0.1 ${masterPort} 1`,
      'sentinel down-after-milliseconds portal 500',
      'sentinel failover-timeout portal 2000',
      '',
    ].join('\n'),
  );
  const child = spawn(await requireTool('redis-server'), [config, '--sentinel'], { stdio: 'ignore' });
  t.after(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  await until(() => answers(port));
  return port;
}

/** Asks a Redis, or a Sentinel. @param command an inline command @returns what it says first */
export async function askRedis(port: number, command: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString();
  } finally {
    socket.destroy();
  }
}

async function answers(port: number): Promise<boolean> {
  return /^(?:\+PONG|-NOAUTH)/.test(await askRedis(port, 'PING').catch(() => ''));
}
