import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { InheritedSocket } from '../../net/listening-sockets.js';
import type { RelayConfig } from '../../relay/config/config.js';

/** The first that systemd passes (sd_listen_fds(3)). */
const firstDescriptor = 3;

/** The ports that can be opened by a service manager, by the names of their file descriptors (`FileDescriptorName=`). */
const activated: Record<string, (config: RelayConfig) => number | undefined> = {
  public: ({ sniPort }) => sniPort,
  api: ({ apiPort }) => apiPort,
  http: ({ httpPort }) => httpPort,
};

/**
 * The sockets that a service manager has opened for this process (socket activation): LISTEN_FDS of them, for the process LISTEN_PID, with
 * the names LISTEN_FDNAMES. One alone is the public port, whatever its name.
 * @throws Error in one line for a name that is not known, or of a port that the settings do not have
 */
export function activatedSockets(env: NodeJS.ProcessEnv, config: RelayConfig): InheritedSocket[] {
  const { LISTEN_FDS: count, LISTEN_PID: pid, LISTEN_FDNAMES: names = '' } = env;
  // Not for programs that the relay starts.
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name];
  if (count === undefined || Number(pid) !== process.pid) return [];
  const named = count === '1' ? ['public'] : names.split(':');
  if (named.length !== Number(count))
    throw new Error(`LISTEN_FDNAMES does not name the ${count} sockets of LISTEN_FDS`);
  return named.map((name, at) => {
    const port = Object.hasOwn(activated, name) ? activated[name]!(config) : undefined;
    if (port === undefined)
      throw new Error(
        `a socket ${JSON.stringify(name)} was passed, and there is no such port: name it public, api or http`,
      );
    return { handle: { fd: firstDescriptor + at }, port };
  });
}

/** Tells systemd that another process is the service's main one from now on, where it listens (`NotifyAccess=all`). */
export async function tellMainProcess(pid: number, env: NodeJS.ProcessEnv): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return;
  await promisify(execFile)('systemd-notify', [`MAINPID=${pid}`], { timeout: 10_000 });
}
