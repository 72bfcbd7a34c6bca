import { createAgentClient, type AgentClient } from '../../agent/client/agent-client.js';
import { readEndpoint } from '../../agent/endpoint-file.js';
import { UsageError } from '../../sdk/calls/errors.js';
import { qrCode } from '../support/qr-code.js';
import type { AgentArguments } from './arguments.js';
import { controlAgent, notRunning } from './control.js';
import { resolveTarget } from './target-path.js';

/** A file of its own in dist/, with the packages that it needs: see scripts/bundle.mjs. */
const bundle = new URL('../../dashboard/terminal/dashboard.js', import.meta.url);

interface Bundle {
  runDashboard(options: {
    connect(): Promise<AgentClient | undefined>;
    qrCode(text: string): string[];
    resolveTarget(target: string): string;
  }): Promise<void>;
}

/** `portal agent dashboard`. @returns the exit code */
export async function agentDashboard(given: AgentArguments): Promise<number> {
  if (given.isWeb) return await controlAgent(given);
  if (given.json) throw new UsageError('the dashboard has no JSON: see status --json, or dashboard --web --json');
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError('the dashboard needs a terminal: see status, or dashboard --web');
  const { stateDir } = given;
  const connect = async () => {
    const endpoint = await readEndpoint(stateDir);
    return endpoint && createAgentClient(endpoint);
  };
  if ((await connect()) === undefined) return notRunning(given);
  // https://no-color.org, which the packages of the bundle do not know.
  if (process.env['NO_COLOR']) process.env['FORCE_COLOR'] = '0';
  const { runDashboard } = (await import(bundle.href)) as Bundle;
  await runDashboard({ connect, qrCode, resolveTarget });
  return 0;
}
