import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { certificateFiles } from './certificates.js';
import { runProgram } from './programs.js';
import { portalMain } from './processes.js';
import { requireTool } from './tools.js';
import { temporaryDirectory } from './tunnel.js';
import { until } from './until.js';

/** A machine of its own, as far as the network is concerned. */
export interface Machine {
  /** Its host name, which all of them know. */
  readonly host: string;
  /** On the network that they share. */
  readonly ip: string;
  /** Runs a program there to its end. @throws Error when it fails */
  run(program: string, ...args: string[]): Promise<string>;
  /** Starts one there, which is killed with the test. */
  start(program: string, args: string[], env?: Record<string, string>): ChildProcess;
}

let networks = 0;

/** Machines in network namespaces, on one switch. @throws Error in one line when this process may not make any */
export async function startMachines(t: TestContext, count: number): Promise<Machine[]> {
  const ip = await requireTool('ip');
  if (process.getuid?.() !== 0) throw new Error('these tests need network namespaces: run them as root');
  const network = `pt${process.pid}x${++networks}`;
  const namespaces = Array.from({ length: count }, (_, index) => `${network}n${index}`);
  const hosts = namespaces.map((_, index) => `10.77.0.${index + 1} r${index}.test\n`).join('');
  const needed = async (...args: string[]) => {
    const { code, stderr } = await runProgram(ip, args);
    if (code !== 0) throw new Error(`these tests need network namespaces: ip ${args.join(' ')}: ${stderr.trim()}`);
  };
  const bridge = `${network}sw`;
  t.after(async () => {
    for (const namespace of [...namespaces, bridge]) {
      await endProcesses(ip, namespace);
      await runProgram(ip, ['netns', 'delete', namespace]);
      rmSync(join('/etc/netns', namespace), { recursive: true, force: true });
    }
    try {
      rmdirSync('/etc/netns');
    } catch {
      // Others have some.
    }
  });
  await needed('netns', 'add', bridge);
  await needed('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge');
  await needed('-n', bridge, 'link', 'set', 'br0', 'up');
  for (const [index, namespace] of namespaces.entries()) {
    // `ip netns exec` shows these in place of the files in /etc.
    mkdirSync(join('/etc/netns', namespace), { recursive: true });
    writeFileSync(join('/etc/netns', namespace, 'hosts'), `127.0.0.1 localhost\n${hosts}`);
    await needed('netns', 'add', namespace);
    await needed('-n', namespace, 'link', 'set', 'lo', 'up');
    const port = `port${index}`;
    await needed('-n', bridge, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await needed('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up');
    await needed('-n', namespace, 'address', 'add', `10.77.0.${index + 1}/24`, 'dev', 'eth0');
    await needed('-n', namespace, 'link', 'set', 'eth0', 'up');
  }
  return namespaces.map((namespace, index) => ({
    host: `r${index}.test`,
    ip: `10.77.0.${index + 1}`,
    async run(program, ...args) {
      const { code, stdout, stderr } = await runProgram(ip, ['netns', 'exec', namespace, program, ...args]);
      if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
      return stdout.toString();
    },
    start(program, args, env = {}) {
      const options = { stdio: ['ignore', 'pipe', 'pipe'] as 'pipe'[], env: { ...process.env, ...env } };
      const child = spawn(ip, ['netns', 'exec', namespace, program, ...args], options);
      t.after(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      });
      return child;
    },
  }));
}

/** `wireguard-go` removes its control socket, which is the same folder's for all machines, so it ends by itself. */
async function endProcesses(ip: string, namespace: string): Promise<void> {
  const processes = async () => {
    const { stdout } = await runProgram(ip, ['netns', 'pids', namespace]);
    return stdout.toString().trim().split('\n').filter(Boolean).map(Number);
  };
  const isWireguard = (pid: number) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('wireguard-go');
    } catch {
      return false;
    }
  };
  const kill = (pid: number, signal: NodeJS.Signals) => {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  };
  const all = await processes();
  for (const pid of all) if (!isWireguard(pid)) kill(pid, 'SIGKILL');
  for (const pid of all) if (isWireguard(pid)) kill(pid, 'SIGTERM');
  await until(async () => (await processes()).length === 0);
}

/** A relay on a machine of its own. */
export interface RelaySite {
  readonly machine: Machine;
  readonly url: string;
  readonly stateDir: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Where relays are going to be, and a file with all their certificates. */
export async function makeRelaySites(t: TestContext, machines: Machine[]): Promise<{ sites: RelaySite[]; ca: string }> {
  const folder = temporaryDirectory(t);
  const sites = await Promise.all(
    machines.map(async (machine, index) => {
      const stateDir = join(folder, String(index));
      mkdirSync(stateDir, { mode: 0o700 });
      const { certFile, keyFile, remove } = await certificateFiles(machine.host);
      t.after(remove);
      return { machine, stateDir, certFile, keyFile, url: `https://${machine.host}:8443` };
    }),
  );
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, sites.map(({ certFile }) => readFileSync(certFile, 'utf8')).join(''));
  return { sites, ca };
}

export interface RunningRelay {
  readonly child: ChildProcess;
  /** What it has logged, one entry a line. */
  log(): string;
}

/** `portal relay` on its machine. Settles once it listens. */
export async function startRelayAt(
  { machine, url, stateDir, certFile, keyFile }: RelaySite,
  args: string[],
  env: Record<string, string> = {},
): Promise<RunningRelay> {
  const listen = [
    '--portal-url',
    url,
    '--state-dir',
    stateDir,
    '--host',
    '0.0.0.0',
    '--sni-port',
    '8443',
    '--cert-file',
    certFile,
    '--key-file',
    keyFile,
  ];
  const child = machine.start(process.execPath, [portalMain, 'relay', ...listen, '--api-port', '0', ...args], env);
  let log = '';
  child.stdout?.resume();
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('relay started')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the relay ended with ${code}: ${log}`)));
  });
  return { child, log: () => log };
}
