import { EventEmitter } from 'node:events';
import { readRelayConfig } from '../../relay/config/config.js';
import { ConfigError } from '../../relay/config/given-settings.js';
import { relaySettingsHelp } from '../../relay/config/settings.js';
import { ListeningSockets } from '../../net/listening-sockets.js';
import { activatedSockets } from './service-manager.js';
import { awaitTurn } from './successor.js';
import { Upgrades } from './upgrades.js';
import { createLogger } from '../../util/logger.js';
import { type RelayServer, startRelay } from '../../relay/relay-server.js';
import { checkHelp, relayCheckCommand } from './check/check.js';
import { installLastNet } from '../../util/last-net.js';
import { dropUnreadOutput, endDespiteUnreadOutput } from '../../util/standard-output.js';

const help = `Usage: portal relay --portal-url URL [settings]
       portal relay check [settings]   what would keep it from working

Runs a relay, until SIGINT or SIGTERM. At SIGUSR2 a new process takes over, and no connection is refused. A setting is a flag, an environment variable or a line of the configuration file; the first of these wins.

${relaySettingsHelp()}
  --help                                                            this text
`;

/**
 * `portal relay`: runs until SIGINT or SIGTERM, then waits a bounded time for live connections to finish. At SIGUSR2 a new process takes over.
 * @returns the exit code: 0 stopped, 1 could not start, 2 invalid configuration; 70 after an uncaught error
 */
export async function relayCommand(argv: string[]): Promise<number> {
  if (argv[0] === 'check') {
    if (!argv.includes('--help') && !argv.includes('-h')) return await relayCheckCommand(argv.slice(1));
    process.stdout.write(checkHelp);
    return 0;
  }
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  let config;
  try {
    config = readRelayConfig(argv, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) process.stderr.write(`portal relay: ${fault}\n`);
    return 2;
  }
  dropUnreadOutput();
  const logger = createLogger(config.logLevel);
  const signals = new EventEmitter<{ signal: [NodeJS.Signals] }>();
  const ends = new Promise<NodeJS.Signals>((resolve) => signals.once('signal', resolve));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => signals.emit('signal', signal));
  let relay: RelayServer | undefined;
  const removeNet = installLastNet({
    log: (error, origin) => logger.fatal({ err: error, origin }, 'uncaught error: the relay drains and exits'),
    drain: async (signal) => {
      await relay?.drain(signal);
      await relay?.stop();
    },
    drainMs: config.drainTimeoutSeconds * 1000,
  });
  // Waiting for a first certificate can take long.
  const stopping = new AbortController();
  signals.once('signal', () => stopping.abort());
  try {
    const inherited = activatedSockets(process.env, config);
    const before = await awaitTurn();
    const sockets = new ListeningSockets(before?.sockets ?? inherited);
    relay = await startRelay(config, logger, { sockets, stopping: stopping.signal });
    if (before) relay.onCut((cut) => before.cut(cut));
    before?.started();
  } catch (error) {
    if ((error as Error).name === 'AbortError') return 0;
    process.stderr.write(`portal relay: ${(error as Error).message}\n`);
    return 1;
  }
  const upgrades = new Upgrades(config, logger, relay, (another) => (relay = another));
  upgrades.listen();
  const signal = await Promise.race([ends, upgrades.done]);
  upgrades.stop();
  if (signal)
    logger.info({ signal, seconds: config.drainTimeoutSeconds }, 'relay draining, a second signal ends it at once');
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), config.drainTimeoutSeconds * 1000);
  signals.once('signal', () => enough.abort());
  await relay.drain(enough.signal);
  clearTimeout(timer);
  await relay.stop();
  logger.info('relay stopped');
  removeNet();
  upgrades.leave();
  endDespiteUnreadOutput();
  return 0;
}
