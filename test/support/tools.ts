/** Finds the external programs that tests drive, and installs them where that is possible. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Program name -> the Debian package that brings it. */
const debianPackages = {
  curl: 'curl',
  jq: 'jq',
  openssl: 'openssl',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
  'gnutls-cli': 'gnutls-bin',
  chromium: 'chromium',
  haproxy: 'haproxy',
  nginx: 'nginx-light',
  dig: 'bind9-dnsutils',
  nsupdate: 'bind9-dnsutils',
  knotd: 'knot',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  dnsmasq: 'dnsmasq-base',
  script: 'bsdutils',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  tinyproxy: 'tinyproxy-bin',
  'django-admin': 'python3-django',
  flask: 'python3-flask',
  'docker-compose': 'docker-compose',
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  ip: 'iproute2',
  ss: 'iproute2',
  nft: 'nftables',
  tcpdump: 'tcpdump',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  hypercorn: 'python3-hypercorn',
  virtualenv: 'virtualenv',
  'systemd-analyze': 'systemd',
  'systemd-notify': 'systemd',
  'systemd-socket-activate': 'systemd',
  python3: 'python3',
  'redis-server': 'redis-server',
  tmux: 'tmux',
} as const;

export type ToolName = keyof typeof debianPackages;
export const toolNames = Object.keys(debianPackages) as ToolName[];

/** Installing may wait for another process that holds the package database. */
const aptLockTimeoutSeconds = 300;
const aptTimeoutMs = 600_000;

/**
 * The absolute path of an external program. Looks in `PATH`; when it is not there and this process is root on a
 * Debian system, installs its package; else throws one line that says what to install.
 */
export async function requireTool(name: ToolName): Promise<string> {
  const found = await findInPath(name);
  if (found !== undefined) return found;
  const debianPackage = debianPackages[name];
  if (process.getuid?.() !== 0 || (await findInPath('apt-get')) === undefined) {
    throw new Error(`these tests need ${name}: install it (Debian: apt-get install ${debianPackage})`);
  }
  await install(debianPackage);
  const installed = await findInPath(name);
  if (installed === undefined) throw new Error(`package ${debianPackage} was installed but brought no ${name}`);
  return installed;
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}

async function install(debianPackage: string): Promise<void> {
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: aptTimeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  };
  const lock = ['-o', `DPkg::Lock::Timeout=${aptLockTimeoutSeconds}`];
  const installArguments = [...lock, 'install', '--yes', '--no-install-recommends', debianPackage];
  try {
    await run('apt-get', installArguments, options);
  } catch {
    // The package lists may be missing or old: fetch them once and try again.
    await run('apt-get', [...lock, 'update'], options);
    await run('apt-get', installArguments, options);
  }
}
