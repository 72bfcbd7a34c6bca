import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createAgentClient } from '../../src/agent/client/agent-client.js';
import { AgentApi } from '../../src/agent/api/agent-api.js';
import { Agent } from '../../src/agent/services/agent.js';
import { readConfiguration } from '../../src/cli/expose/expose-config.js';
import { createLogger } from '../../src/util/logger.js';
import type { TestRelay } from './relay.js';
import { temporaryDirectory } from './tunnel.js';

/** An agent in this process, for services of a relay. @param services tables of its configuration */
export async function startAgent(
  t: TestContext,
  relay: Pick<TestRelay, 'url' | 'caFile'>,
  services: string,
  more: { agent?: string; noticePatienceMs?: number } = {},
) {
  const config = join(temporaryDirectory(t), 'agent.toml');
  const write = (text: string, agentTable = more.agent ?? '') =>
    writeFileSync(
      config,
      `relays = ["${relay.url}"]\nca = "${relay.caFile}"\nidentity = "identity.json"\nprobe = false\n\n[agent]\n${agentTable}\n${text}`,
    );
  write(services);
  const { noticePatienceMs = 100 } = more;
  const agent = new Agent({
    configPath: config,
    readConfig: (path) => readConfiguration(path, { mayBeEmpty: true }),
    noticePatienceMs,
  });
  const token = 'agent_test';
  const api = new AgentApi({
    agent,
    token,
    about: { config_path: config, started_at: new Date().toISOString(), version: '0' },
    shutDown: () => undefined,
    logger: createLogger('silent'),
    validateResponses: true,
  });
  await api.start(0);
  t.after(async () => {
    await api.stop();
    await agent.stop(0);
  });
  const client = createAgentClient({ control_addr: api.address, token });
  return { agent, client, url: `http://${api.address}`, token, config, write };
}
