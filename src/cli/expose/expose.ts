import { UsageError } from '../../sdk/calls/errors.js';
import type { ExposeOptions } from '../../tunnel/index.js';
import { installLastNet } from '../../util/last-net.js';
import { dropUnreadOutput, endDespiteUnreadOutput } from '../../util/standard-output.js';
import { closeGraceMs } from '../../tunnel/relays/relay-member.js';
import { ExposeOutput, type OutputOptions, targetOf } from './expose-output.js';
import { LiveStatus } from './live-status.js';
import type { ServicesOptions } from './expose-services.js';
import { flagName, readCommandLine, settingsHelp } from './command-line.js';
import { inForce } from './defaults.js';
import { givenRelays, toExposeOptions } from './to-expose-options.js';

const help = `Usage: portal expose [TARGET] [--tcp TARGET] [--udp TARGET] [--relay URL] [options]
       portal expose --config FILE [--json]

Puts a local service on a public HTTPS name until it is interrupted, on a public TCP or UDP port, or on all of them.
TARGET is a port (3000), host:port, [::1]:3000, http://host:port, https://host:port, h2c://host:port, h2://host:port,
unix:/path, or a folder whose files are served (./dist). Public URLs go to stdout, a line each, what happens to stderr.
On a terminal a status with both stays at the bottom.

${settingsHelp()}

Without --relay the relays of portal config are used.

A relay elsewhere is reached through the HTTP proxy that HTTPS_PROXY (or ALL_PROXY) names, unless NO_PROXY names the relay.

The first SIGINT, SIGTERM or SIGHUP gives the name back and lets connections finish, the second ends at once.
Exit code: 0 after an interrupt, 1 when the tunnel could not go on, 2 for wrong usage, 3 when --ban-mitm left relays
and no other can be used, 70 after a fault of this program.
`;

/** `portal expose`. @returns the exit code */
export async function exposeCommand(argv: string[]): Promise<number> {
  let options: ReadOptions;
  try {
    const read = readOptions(argv, process.env);
    if (read === 'help') {
      process.stdout.write(help);
      return 0;
    }
    if ('config' in read) return await (await import('./expose-services.js')).exposeServices(read);
    options = read;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal expose: ${error.message}\n`);
    return 2;
  }

  // Imported late because it loads many modules: a usage error should be reported at once.
  const { expose } = await import('../../tunnel/index.js');
  dropUnreadOutput();
  const live = options.isLive
    ? new LiveStatus(process.stdout, (url) => `${targetOf(options, url)} on this machine`)
    : undefined;
  const output = new ExposeOutput(process.stdout, process.stderr, { ...options, live });
  const tunnel = expose({ ...options, onRequest: live && ((report) => live.request(report)) });
  if (options.defaultsFrom !== undefined) output.defaults(options.defaultsFrom, options.relay);
  output.follow(tunnel);
  live?.follow(tunnel);
  const removeNet = installLastNet({
    log: (error) => output.fault(error),
    drain: () => tunnel.close(),
    drainMs: options.closeGraceMs ?? closeGraceMs,
  });

  let interrupts = 0;
  const interrupt = () => {
    // Errors are reported through `closed`.
    tunnel.close(++interrupts > 1 ? 0 : undefined).catch(() => undefined);
  };
  // SIGHUP (a closed terminal) ends the tunnel like SIGINT: the name is released.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', interrupt);
  const { error } = await tunnel.closed;
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
  live?.stop();
  removeNet();
  endDespiteUnreadOutput();
  return error === undefined ? 0 : output.ended(error);
}

interface ReadOptions extends ExposeOptions, OutputOptions {
  /** The file of defaults, when it names the relays. */
  defaultsFrom: string | undefined;
  /** Show a status that is drawn over and over. */
  isLive: boolean;
}

/** @throws UsageError with one clear line */
function readOptions(argv: string[], env: NodeJS.ProcessEnv): ReadOptions | ServicesOptions | 'help' {
  const line = readCommandLine(argv, env);
  const { config, json, help: isHelp } = line;
  if (isHelp) return 'help';
  if (config !== undefined) return { config, json };
  const { given, origins } = inForce(line, env);
  if (given.target === undefined && given.tcp === undefined && given.udp === undefined)
    throw new UsageError('give the service to expose, such as 3000, --tcp 22 or --udp 53 (see --help)');
  if (givenRelays(given).length === 0)
    throw new UsageError('give the relay: --relay URL, PORTAL_RELAY, or once for all by portal config use URL');
  const options = toExposeOptions(given, { nameOf: flagName, pathOf: (path) => path });
  const origin = origins.get('relays');
  const defaultsFrom = origin && 'file' in origin ? origin.file : undefined;
  const manyRelays = options.discovery === true || options.hops !== undefined || (given.relays?.length ?? 0) > 1;
  const isTerminal = process.stdout.isTTY && process.stderr.isTTY && env['TERM'] !== 'dumb';
  return { ...options, json, manyRelays, defaultsFrom, isLive: given.live !== false && !json && isTerminal };
}
