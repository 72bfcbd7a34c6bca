import { createAgentClient, type AgentClient } from '../../agent/client/agent-client.js';
import { readEvents } from '../../agent/client/read-events.js';
import type { AgentLogLine, AgentTunnel } from '../../agent/contract.js';
import { readEndpoint } from '../../agent/endpoint-file.js';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import { plain } from '../../util/human.js';
import { resolveTarget } from './target-path.js';
import { type Column, table } from '../support/table.js';
import type { AgentArguments } from './arguments.js';

const requestTimeoutMs = 30_000;

/** Asks the agent, or tells it. @returns the exit code */
export async function controlAgent(given: AgentArguments): Promise<number> {
  const endpoint = await readEndpoint(given.stateDir);
  if (endpoint === undefined) return notRunning(given);
  try {
    if (given.command === 'logs' && given.follow) return await followLog(createAgentClient(endpoint), given);
    const { data, error } = await send(createAgentClient(endpoint), given);
    if (error) {
      process.stderr.write(`portal agent: ${error.error.message}\n`);
      return 1;
    }
    print(given, data?.data);
    return 0;
  } catch (error) {
    // Left behind by one that was killed.
    if (systemCode(error) === 'ECONNREFUSED') return notRunning(given);
    if ((error as Error).name !== 'TimeoutError') throw error;
    process.stderr.write(`portal agent: the agent did not answer within ${requestTimeoutMs / 1000} s\n`);
    return 1;
  }
}

/** Prints lines until the agent ends them, or this is interrupted. @returns the exit code */
async function followLog(client: AgentClient, { subject = '', json }: AgentArguments): Promise<number> {
  const about = { params: { path: { id: subject } }, parseAs: 'stream' } as const;
  const { data, error } = await client.GET('/v1/agent/tunnels/{id}/log/events', about);
  if (error) {
    process.stderr.write(`portal agent: ${error.error.message}\n`);
    return 1;
  }
  try {
    for await (const { data: line } of readEvents(data as ReadableStream<Uint8Array>))
      printLine(line as AgentLogLine, json);
    return 0;
  } catch (error) {
    // Undici's word for a connection that was cut.
    if ((error as Error).message !== 'terminated') throw error;
    process.stderr.write('portal agent: the agent has ended\n');
    return 1;
  }
}

function printLine(line: AgentLogLine, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${line.time} ${plain(line.message)}\n`);
}

export function notRunning({ stateDir }: AgentArguments): number {
  process.stderr.write(`portal agent: no agent runs for ${stateDir}: start one by portal agent run\n`);
  return 1;
}

interface Answer {
  data?: { data: unknown } | undefined;
  error?: { error: { code: string; message: string } } | undefined;
}

async function send(client: AgentClient, given: AgentArguments): Promise<Answer> {
  const { command, subject = '', id, name, relays } = given;
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const about = { params: { path: { id: subject } }, signal };
  switch (command) {
    case 'add': {
      const body = {
        target_addr: resolveTarget(subject),
        ...(id && { id }),
        ...(name && { name }),
        ...(relays && { relays }),
      };
      return await client.POST('/v1/agent/tunnels', { body, signal });
    }
    case 'remove':
      return await client.DELETE('/v1/agent/tunnels/{id}', about);
    case 'start':
      return await client.POST('/v1/agent/tunnels/{id}/start', about);
    case 'stop':
      return await client.POST('/v1/agent/tunnels/{id}/stop', about);
    case 'restart':
      return await client.POST('/v1/agent/tunnels/{id}/restart', about);
    case 'logs':
      return await client.GET('/v1/agent/tunnels/{id}/log', about);
    case 'shutdown':
      return await client.POST('/v1/agent/shutdown', { signal });
    case 'status':
      return await client.GET('/v1/agent/status', { signal });
    case 'dashboard':
      return await client.POST('/v1/agent/auth/links', { signal });
    case 'run':
    case 'install':
    case 'uninstall':
      throw new UsageError(`${command} is not for an agent that runs`);
  }
}

function print({ command, json }: AgentArguments, data: unknown): void {
  if (json) process.stdout.write(`${JSON.stringify(data)}\n`);
  else if (command === 'dashboard') process.stdout.write(`${(data as { url: string }).url}\n`);
  else if (command === 'status') printStatus(data as { config_error?: string; tunnels: AgentTunnel[] });
  else if (command === 'logs') for (const line of (data as { lines: AgentLogLine[] }).lines) printLine(line, false);
  else if (command !== 'remove' && command !== 'shutdown') printTunnels([data as AgentTunnel]);
}

function printStatus({ config_error: error, tunnels }: { config_error?: string; tunnels: AgentTunnel[] }): void {
  if (error !== undefined) process.stderr.write(`the configuration is not followed as it is: ${error}\n`);
  if (tunnels.length === 0) process.stdout.write('no services: portal agent add TARGET adds one\n');
  else printTunnels(tunnels);
}

const columns: Column<AgentTunnel>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'TARGET', of: ({ target_addr }) => target_addr ?? '-', longest: 60 },
  {
    title: 'URL',
    of: ({ relays, last_error }) =>
      relays.flatMap(({ public_url }) => public_url ?? []).join(' ') || (last_error === undefined ? '-' : last_error),
    longest: 200,
  },
];

const printTunnels = (tunnels: AgentTunnel[]) => void process.stdout.write(table(columns, tunnels));
