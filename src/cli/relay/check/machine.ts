import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { KernelEngine } from '../../../kernel/kernel-engine.js';
import { findPrograms } from '../../../relay/overlay/programs.js';
import type { RelayConfig } from '../../../relay/config/config.js';
import { fileDescriptors, reportsOpenFiles } from '../../../util/open-files.js';
import type { Tell } from '../../support/finding.js';

const leastOpenFiles = 65_536;
const leastFreeBytes = 1_000_000_000;
const programTimeoutMs = 10_000;
const run = promisify(execFile);

/** What the machine must have for the features that are on. */
export async function lookAtMachine(config: RelayConfig, tell: Tell): Promise<void> {
  lookAtOpenFiles(tell);
  lookAtDisk(config.stateDir, tell);
  await lookAtClock(tell);
  await lookAtDataPlane(config, tell);
  await lookAtChromium(config, tell);
  await lookAtOverlay(config, tell);
  if (config.adminWallets.length === 0)
    tell('ok', 'admin', 'is off: --admin-wallets names the wallets that may govern the relay');
}

function lookAtOpenFiles(tell: Tell): void {
  if (!reportsOpenFiles()) return;
  const { limit } = fileDescriptors();
  const connections = Math.floor(limit / 2);
  if (limit >= leastOpenFiles)
    tell('ok', 'open files', `${limit} are allowed here, enough for ${connections} connections`);
  else
    tell(
      'warning',
      'open files',
      `only ${limit} are allowed here, for ${connections} connections: LimitNOFILE=262144, or ulimit -n`,
    );
}

function lookAtDisk(stateDir: string, tell: Tell): void {
  let place = stateDir;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const text = `${(free / 1e9).toFixed(1)} GB are free`;
  if (free < leastFreeBytes)
    tell('warning', 'disk', `only ${text} at ${place}: without any, nothing can be decided or registered`);
  else tell('ok', 'disk', `${text} at ${place}`);
}

/** Sign-in and certificates need the time. */
async function lookAtClock(tell: Tell): Promise<void> {
  const said = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    timeout: programTimeoutMs,
  }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (said === 'yes') tell('ok', 'clock', 'is synchronized');
  else if (said === 'no')
    tell(
      'warning',
      'clock',
      'is not synchronized: sign-in fails where it is off by more than minutes; install an NTP client',
    );
}

async function lookAtDataPlane({ dataPlane, dataWorkers }: RelayConfig, tell: Tell): Promise<void> {
  if (dataPlane === 'node') return;
  const engine = KernelEngine.load(dataWorkers, () => undefined);
  await engine?.stop();
  if (engine) tell('ok', 'data plane', 'the kernel copies connections');
  else
    tell(
      'warning',
      'data plane',
      'the kernel cannot be asked to copy connections here (it needs Linux): Node does, for more CPU',
    );
}

async function lookAtChromium({ chromium, policy }: RelayConfig, tell: Tell): Promise<void> {
  if (chromium === undefined) {
    if (policy.landingPageEnabled)
      tell('ok', 'pictures', 'are off on the landing page: --chromium names a browser that takes them');
    return;
  }
  try {
    const { stdout } = await run(chromium, ['--version'], { timeout: programTimeoutMs });
    tell('ok', 'pictures', `are taken by ${stdout.trim()}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    tell(
      'problem',
      'pictures',
      `${chromium} does not run (${code ?? 'it failed'}): install it (Debian: chromium), or leave --chromium out`,
    );
  }
}

async function lookAtOverlay({ overlay }: RelayConfig, tell: Tell): Promise<void> {
  if (!overlay) return;
  const problem = (message: string) => tell('problem', 'overlay', message);
  if (process.platform !== 'linux') return problem('it needs Linux');
  try {
    const { wireguardGo } = await findPrograms();
    const isOfKernel = existsSync('/sys/module/wireguard');
    if (!isOfKernel && wireguardGo === undefined)
      tell('warning', 'overlay', 'the module wireguard is not loaded: modprobe wireguard, or install wireguard-go');
    else if (!isOfKernel && !isWritable('/dev/net/tun'))
      return problem('wireguard-go needs /dev/net/tun, which this user cannot open');
    tell(
      'ok',
      'overlay',
      `has its programs, and WireGuard of ${isOfKernel ? 'the kernel' : 'wireguard-go'}; it needs CAP_NET_ADMIN`,
    );
  } catch (error) {
    problem((error as Error).message);
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
