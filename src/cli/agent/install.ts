import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  launchdLabel,
  launchdPlist,
  serviceName,
  systemdUnit,
  windowsTask,
} from '../../agent/install/service-files.js';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import type { AgentArguments } from './arguments.js';

/** Where the system looks for the agent's file, and what has it started and forgotten. */
interface Place {
  file: string;
  text: string;
  /** Run one after the other. */
  start: readonly (readonly string[])[];
  stop: readonly (readonly string[])[];
  /** What is left to be done by hand, if anything. */
  hint?: string;
}

/** `portal agent install` and `uninstall`. @returns the exit code */
export async function installAgent(given: AgentArguments): Promise<number> {
  const place = placeOf(given);
  const isInstall = given.command === 'install';
  if (isInstall) {
    await mkdir(dirname(place.file), { recursive: true });
    await write(place.file, place.text);
    process.stdout.write(`wrote ${place.file}\n`);
  }
  const faults = given.noStart ? [] : await runAll(isInstall ? place.start : place.stop);
  if (!isInstall) {
    await rm(place.file, { force: true });
    process.stdout.write(`removed ${place.file}; configuration and identity stay\n`);
  }
  for (const fault of faults) process.stderr.write(`portal agent: ${fault}\n`);
  if (isInstall && place.hint) process.stdout.write(`${place.hint}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o644 });
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
    throw new UsageError(`${file} may not be written: run this as root, or without --system`, { cause: error });
  }
}

function placeOf({ stateDir, configPath, port, isSystem }: AgentArguments): Place {
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const options = [
    ...(configPath === undefined ? [] : ['--config', resolve(configPath)]),
    ...(isSystem ? [] : ['--state-dir', resolve(stateDir)]),
    '--port',
    String(port),
  ];
  const command = [process.execPath, '--enable-source-maps', main, 'agent', 'run', ...options];
  if (process.platform === 'darwin') {
    if (isSystem) throw new UsageError('--system is for Linux: on macOS the agent starts when its user logs in');
    const file = join(homedir(), 'Library/LaunchAgents', `${launchdLabel}.plist`);
    const text = launchdPlist({ command }, join(homedir(), 'Library/Logs/portal-agent.log'));
    return { file, text, start: [['launchctl', 'load', '-w', file]], stop: [['launchctl', 'unload', '-w', file]] };
  }
  if (process.platform === 'win32') {
    if (isSystem) throw new UsageError('--system is for Linux: on Windows the agent starts when its user logs on');
    const file = join(stateDir, `${serviceName}.xml`);
    const task = ['schtasks', '/TN', serviceName];
    return {
      file,
      text: windowsTask({ command }),
      start: [
        ['schtasks', '/Create', '/F', '/TN', serviceName, '/XML', file],
        [...task, '/Run'],
      ],
      stop: [
        [...task, '/End'],
        [...task, '/Delete', '/F'],
      ],
    };
  }
  if (isSystem) {
    const file = `/etc/systemd/system/${serviceName}.service`;
    const text = systemdUnit({ command, env: { PORTAL_AGENT_STATE: `/var/lib/${serviceName}` } }, 'system');
    return { file, text, ...commandsOf(['systemctl']) };
  }
  const folder = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  const file = join(folder, 'systemd/user', `${serviceName}.service`);
  const hint = 'it starts when you log in; loginctl enable-linger has it start with the machine';
  return { file, text: systemdUnit({ command }, 'user'), ...commandsOf(['systemctl', '--user']), hint };
}

function commandsOf(systemctl: readonly string[]): Pick<Place, 'start' | 'stop'> {
  const unit = `${serviceName}.service`;
  return {
    start: [
      [...systemctl, 'daemon-reload'],
      [...systemctl, 'enable', '--now', unit],
    ],
    stop: [[...systemctl, 'disable', '--now', unit]],
  };
}

/** @returns a line for the first that fails, with what remains to be done */
async function runAll(commands: readonly (readonly string[])[]): Promise<string[]> {
  for (const [index, command] of commands.entries()) {
    const [program = '', ...args] = command;
    const fault = await new Promise<string | undefined>((done) => {
      execFile(program, args, (error, _stdout, stderr) =>
        done(error ? stderr.trim().split('\n')[0] || error.message : undefined),
      );
    });
    const rest = commands.slice(index).map((each) => each.join(' '));
    if (fault !== undefined) return [`${program}: ${fault}; run yourself: ${rest.join(' && ')}`];
  }
  return [];
}
