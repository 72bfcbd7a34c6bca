import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { listens } from './nginx.js';
import { kill } from './processes.js';
import { freePort } from './relay.js';
import { requireTool } from './tools.js';
import { type LocalServer, listening, temporaryDirectory } from './tunnel.js';

export interface Tinyproxy {
  port: number;
  /** The connections that it was asked for, as `host:port`, each time. */
  asked(): string[];
  stop(): Promise<void>;
}

/** tinyproxy, a plain HTTP proxy. Ended with the test. @param options lines of its configuration */
export async function startTinyproxy(t: TestContext, options: string[] = [], port?: number): Promise<Tinyproxy> {
  const program = await requireTool('tinyproxy');
  const dir = temporaryDirectory(t);
  const [file, log] = [join(dir, 'tinyproxy.conf'), join(dir, 'log')];
  const listenOn = port ?? (await freePort());
  const lines = [`Port ${listenOn}`, 'Listen 127.0.0.1', `LogFile "${log}"`, 'LogLevel Connect', 'MaxClients 200'];
  writeFileSync(file, `${[...lines, ...options].join('\n')}\n`);
  const child = spawn(program, ['-d', '-c', file], { stdio: 'ignore' });
  const stop = () => kill(child, 'SIGKILL');
  t.after(stop);
  while (!(await listens(listenOn))) {
    if (child.exitCode !== null) throw new Error(`tinyproxy ended with ${child.exitCode}`);
  }
  const asked = () => [...readFileSync(log, 'utf8').matchAll(/CONNECT (\S+) HTTP/g)].map(([, authority]) => authority!);
  return { port: listenOn, asked, stop };
}

/** A proxy whose names all lead to this machine: what gets to them went through it. */
export async function startResolvingProxy(t: TestContext): Promise<LocalServer> {
  const proxy = createServer();
  proxy.on('connect', ({ url = '' }, client: Socket, head) => {
    const port = Number(url.slice(url.lastIndexOf(':') + 1));
    const onward = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      client.pipe(onward).pipe(client);
    });
    t.after(() => onward.destroy());
    onward.on('error', () => client.destroy());
    client.on('error', () => onward.destroy());
  });
  return await listening(t, proxy, 0);
}
