import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Agent } from '../../agent/services/agent.js';
import { AgentApi } from '../../agent/api/agent-api.js';
import { createAgentClient } from '../../agent/client/agent-client.js';
import { NoticeOutlets } from '../../agent/notices/outlets.js';
import { readEndpoint, removeEndpoint, writeEndpoint } from '../../agent/endpoint-file.js';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import { closeGraceMs } from '../../tunnel/relays/relay-member.js';
import { background, onFault, repeat } from '../../util/boundary.js';
import { installLastNet } from '../../util/last-net.js';
import { createLogger } from '../../util/logger.js';
import { ConfigWatch } from '../expose/config-watch.js';
import { readConfiguration } from '../expose/expose-config.js';
import { packageVersion } from '../support/package-version.js';
import type { AgentArguments } from './arguments.js';

/** How often the configuration file is polled. */
const lookIntervalMs = 1_000;
/** How often it is looked whether another agent has taken the state directory. */
const ownerCheckMs = 1_000;
const tokenBytes = 32;

/** `portal agent run`. @returns the exit code */
export async function runAgent({ stateDir, configPath, port }: AgentArguments): Promise<number> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = resolve(configPath ?? join(stateDir, 'agent.toml'));
  await refuseSecond(stateDir);
  const logger = createLogger('info');
  const agent = new Agent({ configPath: path, readConfig: (file) => readConfiguration(file, { mayBeEmpty: true }) });
  let end!: () => void;
  const ended = new Promise<void>((resolveEnded) => (end = resolveEnded));
  const token = `agent_${randomBytes(tokenBytes).toString('base64url')}`;
  const about = { config_path: path, started_at: new Date().toISOString(), version: packageVersion() };
  const api = new AgentApi({ agent, token, about, shutDown: () => end(), logger });
  try {
    await api.start(port);
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE') throw error;
    throw new UsageError(`port ${port} of 127.0.0.1 is in use: choose another by --port`, { cause: error });
  }
  const endpoint = { control_addr: api.address, token };
  await writeEndpoint(stateDir, endpoint);
  await chmod(stateDir, 0o700);
  logger.info({ config: path, control: api.address }, 'agent started');
  const tellConfig = () => {
    if (agent.configError !== undefined)
      logger.error(
        { config: path, reason: agent.configError },
        'the configuration is not followed: the services go on as before',
      );
    else logger.info({ config: path, services: agent.tunnels().length }, 'the configuration is followed');
  };
  const reload = () =>
    background('configuration check', async () => {
      await agent.reload();
      tellConfig();
    });
  const outlets = new NoticeOutlets((outlet, reason) => logger.error({ outlet, reason }, 'a notice did not get there'));
  agent.on('settings', (settings) => outlets.use(settings));
  agent.notices.on('notice', (notice) => {
    logger.warn({ ...notice, time: undefined }, 'notice');
    outlets.send(notice);
  });
  let isReplaced = false;
  // Two that are started at the same moment have not seen each other: the later one stays.
  const ownerCheck = repeat(
    'configuration check',
    async () => {
      const now = await readEndpoint(stateDir);
      if (now?.token === token || isReplaced) return;
      if (now === undefined) return await writeEndpoint(stateDir, endpoint);
      isReplaced = true;
      logger.error({ control: now.control_addr }, 'another agent has started with this state directory: this one ends');
      end();
    },
    ownerCheckMs,
  );
  const watch = new ConfigWatch(path, lookIntervalMs, reload);
  const removeFaults = onFault(({ boundary, error }) =>
    logger.error({ err: error, boundary }, 'a fault ended one connection, one event or one run of a timer'),
  );
  const removeNet = installLastNet({
    log: (error) => logger.fatal({ err: error }, 'uncaught error, closing'),
    drain: () => agent.stop(),
    drainMs: closeGraceMs,
  });
  let interrupts = 0;
  const interrupt = () => {
    interrupts++;
    end();
    if (interrupts > 1) background('tunnel end', () => agent.stop(0));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', reload);
  // Whatever happens from here on, nothing is left that says that an agent runs.
  try {
    await watch.start();
    await agent.start();
    tellConfig();
    await ended;
  } finally {
    watch.stop();
    clearInterval(ownerCheck);
    await removeEndpoint(stateDir, token);
    await agent.stop();
    outlets.stop();
    await api.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', reload);
    removeNet();
    removeFaults();
  }
  logger.info('agent ended');
  return isReplaced ? 1 : 0;
}

/** @throws UsageError when an agent of this state directory runs already */
async function refuseSecond(stateDir: string): Promise<void> {
  const endpoint = await readEndpoint(stateDir);
  if (endpoint === undefined) return;
  const client = createAgentClient(endpoint);
  const answers = await client.GET('/v1/agent/status', { signal: AbortSignal.timeout(2_000) }).then(
    ({ response }) => response.status === 200,
    () => false,
  );
  if (answers)
    throw new UsageError(`an agent of ${stateDir} runs already, at ${endpoint.control_addr}: see portal agent status`);
}
