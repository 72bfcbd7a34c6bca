import { UsageError } from '../../sdk/calls/errors.js';
import { ServiceGroup, type ExposeOptions } from '../../tunnel/index.js';
import { installLastNet } from '../../util/last-net.js';
import { dropUnreadOutput, endDespiteUnreadOutput } from '../../util/standard-output.js';
import { closeGraceMs } from '../../tunnel/relays/relay-member.js';
import { background } from '../../util/boundary.js';
import { ConfigWatch } from './config-watch.js';
import { readExposeConfig } from './expose-config.js';
import { ExposeOutput } from './expose-output.js';
import { Mutex } from '../../util/mutex.js';

/** How often the configuration file is polled. */
const lookIntervalMs = 1_000;

export interface ServicesOptions {
  /** The TOML file that names the services. */
  config: string;
  json: boolean;
}

/**
 * `portal expose --config`: serves the services of a file until it is interrupted, and applies changes of the file.
 * @returns the exit code
 * @throws UsageError in one line when the file is invalid at the start
 */
export async function exposeServices({ config, json }: ServicesOptions): Promise<number> {
  dropUnreadOutput();
  const group = new ServiceGroup();
  let wanted = new Map<string, ExposeOptions>();
  let code = 0;
  const say = (event: string, message: string, fields: object = {}) => {
    const time = new Date().toISOString();
    const line = json ? JSON.stringify({ time, event, message, ...fields }) : `${time.slice(11, 19)} ${message}`;
    process.stderr.write(`${line}\n`);
  };
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => (finish = resolve));

  group.on('opened', (key, tunnel) => {
    const about = { ...(wanted.get(key) as ExposeOptions), json, service: key, manyRelays: true };
    const output = new ExposeOutput(process.stdout, process.stderr, about);
    output.follow(tunnel);
    background('tunnel end', async () => {
      const { error } = await tunnel.closed;
      if (error !== undefined) code = output.ended(error);
    });
  });
  group.on('closed', (_key, { error }) => {
    if (error !== undefined && group.size === 0) finish();
  });

  const read = async (): Promise<void> => {
    try {
      const next = readExposeConfig(config);
      const before = wanted;
      wanted = next;
      try {
        const { kept, ...change } = await group.apply(next);
        const parts = Object.entries(change).filter(([, keys]) => keys.length > 0);
        if (before.size === 0) return;
        const what = parts.map(([verb, keys]) => `${verb} ${keys.join(', ')}`).join('; ') || 'nothing has changed';
        say('reloaded', `read ${config} again: ${what}`, { ...change, kept });
      } catch (error) {
        wanted = before;
        throw error;
      }
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${config}: ${error.message.replace(/\s+/g, ' ')}`, { cause: error });
    }
  };
  // One change at a time, however fast they come.
  const reading = new Mutex();
  const reload = () => {
    reading.run(read).catch((error: Error) => say('config_refused', `${error.message}; the services go on as before`));
  };

  const watch = new ConfigWatch(config, lookIntervalMs, reload);
  await watch.start();
  try {
    await reading.run(read);
  } catch (error) {
    watch.stop();
    throw error;
  }
  const removeNet = installLastNet({
    log: (error) => say('fault', `uncaught error, closing: ${error.stack ?? error.message}`),
    drain: () => group.close(),
    drainMs: closeGraceMs,
  });
  let interrupts = 0;
  const interrupt = () => {
    interrupts++;
    group.close(interrupts > 1 ? 0 : undefined).then(finish, finish);
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', reload);
  await finished;
  watch.stop();
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', reload);
  await group.close(0);
  removeNet();
  endDespiteUnreadOutput();
  return interrupts > 0 ? 0 : code;
}
