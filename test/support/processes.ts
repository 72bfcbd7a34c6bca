import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { printed, runProgram } from './programs.js';

/** The program `portal`. */
export const portalMain = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** How to start `portal` otherwise than usual. */
export interface Launch {
  /** Put before the script: options of Node. */
  nodeOptions?: string[];
  /** Added to the environment. */
  env?: Record<string, string>;
}

/** `portal COMMAND` as a process of its own, killed with the test at the latest. */
export function startPortal(t: TestContext, args: string[], launch: Launch = {}): ChildProcess {
  const child = spawn(process.execPath, [...(launch.nodeOptions ?? []), portalMain, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...launch.env },
  });
  child.stderr?.resume();
  t.after(() => kill(child, 'SIGKILL'));
  return child;
}

/** A program that serves until the test is over. Settles once it has said what it says when it is up. */
export async function startServer(
  t: TestContext,
  program: string,
  args: string[],
  isUp: string,
  env: Record<string, string> = {},
): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      output.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        if (log.includes(isUp)) resolve();
      });
    }
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${log}`)));
  });
}

export interface RelayProcess {
  child: ChildProcess;
  ca: string;
}

/** Settles once it listens. @param urlPort of `PORTAL_URL`, where that is not the public port */
export async function startRelayProcess(
  t: TestContext,
  dir: string,
  port: number,
  urlPort = port,
  settings: string[] = [],
  launch: Launch = {},
): Promise<RelayProcess> {
  const flags = ['--portal-url', `https://portal.localhost:${urlPort}`, '--state-dir', dir, '--host', '127.0.0.1'];
  const child = startPortal(t, ['relay', ...flags, '--sni-port', String(port), '--api-port', '0', ...settings], launch);
  await new Promise<void>((resolve, reject) => {
    let text = '';
    child.once('exit', (code) => reject(new Error(`the relay ended with ${code}: ${text}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('relay started')) resolve();
    });
  });
  return { child, ca: readFileSync(join(dir, 'development-ca.pem'), 'utf8') };
}

/** Settles once visitors are served. */
export async function startTunnelProcess(
  t: TestContext,
  {
    target,
    relayPort,
    name,
    identity,
    caFile,
    ttlSeconds,
  }: { target: number; relayPort: number; name: string; identity: string; caFile: string; ttlSeconds: number },
  launch: Launch = {},
): Promise<ChildProcess> {
  const relay = `https://portal.localhost:${relayPort}`;
  const child = startPortal(
    t,
    [
      'expose',
      String(target),
      '--relay',
      relay,
      '--name',
      name,
      '--identity',
      identity,
      '--ca',
      caFile,
      '--ttl',
      String(ttlSeconds),
    ],
    launch,
  );
  await printed(child, /^https:/m);
  return child;
}

/** Sends a signal and waits for the end that it brings. */
export async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

/** Memory that a process has in use (Linux). */
export function residentBytes(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}

/** Leaves a running process so many file descriptors more than it has open (Linux). */
export async function limitOpenFiles(child: ChildProcess, more: number): Promise<void> {
  const limit = readdirSync(`/proc/${child.pid}/fd`).length + more;
  const { code, stderr } = await runProgram('prlimit', ['--pid', String(child.pid), `--nofile=${limit}:${limit}`]);
  if (code !== 0) throw new Error(`prlimit of util-linux failed: ${stderr}`);
}

/** Sockets that a process has open (Linux). */
export function openSockets(child: ChildProcess): number {
  const dir = `/proc/${child.pid}/fd`;
  return readdirSync(dir).filter((fd) => {
    try {
      return readlinkSync(join(dir, fd)).startsWith('socket:');
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}
