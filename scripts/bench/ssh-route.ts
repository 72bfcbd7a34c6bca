import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { rootHost } from './own-route.js';
import { accepting, freePort } from './ports.js';
import { cpuSeconds, treeCpuSeconds } from './proc.js';
import type { Route } from './route.js';
import { exists, findTool } from './tools.js';
import type { Workshop } from './workshop.js';

const run = promisify(execFile);
/** Where sshd, as root, goes without privileges; Debian makes it when the service starts. */
const privilegeSeparation = '/run/sshd';

export interface SshCipher {
  label: string;
  /** OpenSSH's own choice without. */
  cipher?: string;
}

/**
 * OpenSSH's `ssh -R` to an sshd of our own on loopback, with keys of its own. What counts is sshd with its sessions.
 * @returns undefined where sshd or ssh is missing
 */
export async function startSsh(
  workshop: Workshop,
  ca: string,
  servicePort: number,
  { label, cipher }: SshCipher,
): Promise<Route | undefined> {
  const [sshd, ssh, keygen] = await Promise.all(['sshd', 'ssh', 'ssh-keygen'].map(findTool));
  if (!sshd || !ssh || !keygen) return undefined;
  if (process.getuid?.() === 0 && !(await exists(privilegeSeparation))) mkdirSync(privilegeSeparation, { mode: 0o755 });
  const [port, publicPort] = [await freePort(), await freePort()];
  const [hostKey, userKey] = [workshop.file(`host-key-${port}`), workshop.file(`user-key-${port}`)];
  for (const file of [hostKey, userKey]) await run(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const authorized = workshop.file(`authorized-${port}`);
  writeFileSync(authorized, readFileSync(`${userKey}.pub`));
  const serverConfig = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorized}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowTcpForwarding yes',
  ];
  const configFile = workshop.file(`sshd-${port}.conf`);
  writeFileSync(configFile, `${serverConfig.join('\n')}\n`);
  const server = await workshop.start(sshd, ['-D', '-e', '-f', configFile]);
  await accepting(port);
  const clientOptions = [
    ...['UserKnownHostsFile=/dev/null', 'StrictHostKeyChecking=no', 'IdentitiesOnly=yes', 'LogLevel=ERROR'],
    ...['ExitOnForwardFailure=yes', 'BatchMode=yes', 'ControlPath=none', ...(cipher ? [`Ciphers=${cipher}`] : [])],
  ].flatMap((option) => ['-o', option]);
  const forward = ['-R', `127.0.0.1:${publicPort}:127.0.0.1:${servicePort}`];
  const to = ['-i', userKey, '-p', String(port), `${userInfo().username}@127.0.0.1`];
  const client = await workshop.start(ssh, ['-F', '/dev/null', '-N', '-T', ...clientOptions, ...forward, ...to]);
  await accepting(publicPort);
  return {
    name: label,
    address: { port: publicPort, servername: `bench.${rootHost}`, ca },
    relayCpu: () => treeCpuSeconds(server.pid),
    agentCpu: () => cpuSeconds(client.pid),
  };
}
