import { copyFileSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startServer } from './processes.js';
import { type ProgramResult, runProgram } from './programs.js';
import { freePort } from './relay.js';
import { requireTool } from './tools.js';
import { temporaryDirectory } from './tunnel.js';

export interface SshServer {
  port: number;
  /** Runs a command at the server by way of a port, with `input` as what it reads. */
  ssh(port: number, command: string, input?: Buffer): Promise<ProgramResult>;
}

/** OpenSSH's sshd on loopback, with keys of its own. Ended with the test. */
export async function startSshd(t: TestContext): Promise<SshServer> {
  const [sshd, ssh, keygen] = [await requireTool('sshd'), await requireTool('ssh'), await requireTool('ssh-keygen')];
  const dir = temporaryDirectory(t);
  const [hostKey, userKey, authorized] = ['host', 'user', 'authorized'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  for (const file of [hostKey, userKey]) await runProgram(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  copyFileSync(`${userKey}.pub`, authorized);
  // Where sshd, as root, goes without privileges; Debian makes it when the service starts.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const options = [
    `Port=${port}`,
    'ListenAddress=127.0.0.1',
    `HostKey=${hostKey}`,
    `AuthorizedKeysFile=${authorized}`,
    ...['PidFile=none', 'StrictModes=no', 'UsePAM=no', 'PasswordAuthentication=no'],
  ].flatMap((option) => ['-o', option]);
  await startServer(t, sshd, ['-D', '-e', '-f', '/dev/null', ...options], 'Server listening');
  const client = ['UserKnownHostsFile=/dev/null', 'StrictHostKeyChecking=no', 'IdentitiesOnly=yes', 'BatchMode=yes'];
  const flags = ['-F', '/dev/null', '-i', userKey, ...client.flatMap((option) => ['-o', option])];
  return {
    port,
    ssh: (at, command, input) =>
      runProgram(ssh, [...flags, '-p', String(at), `${userInfo().username}@127.0.0.1`, command], { input }),
  };
}
