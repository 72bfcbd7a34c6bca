import { UsageError } from '../../sdk/calls/errors.js';
import { configDirectory } from '../../sdk/identity/identity-file.js';
import { parseArguments } from '../support/arguments.js';

const commands = [
  'run',
  'status',
  'add',
  'remove',
  'start',
  'stop',
  'restart',
  'logs',
  'dashboard',
  'shutdown',
  'install',
  'uninstall',
] as const;
export type AgentCommand = (typeof commands)[number];

export interface AgentArguments {
  command: AgentCommand;
  /** What the command is about: a target, or the id of a service. */
  subject: string | undefined;
  stateDir: string;
  configPath: string | undefined;
  port: number;
  id: string | undefined;
  name: string | undefined;
  relays: string[] | undefined;
  json: boolean;
  /** Go on with what comes. */
  follow: boolean;
  /** install: for the machine, not for the user. */
  isSystem: boolean;
  /** install: only the file. */
  noStart: boolean;
  /** dashboard: a link for a browser. */
  isWeb: boolean;
}

const withId: readonly AgentCommand[] = ['remove', 'start', 'stop', 'restart', 'logs'];

/** @throws UsageError with one clear line */
export function readAgentArguments(argv: string[], env: NodeJS.ProcessEnv): AgentArguments | 'help' {
  const { values, positionals } = parseArguments(argv, {
    'state-dir': { type: 'string' },
    config: { type: 'string' },
    port: { type: 'string' },
    id: { type: 'string' },
    name: { type: 'string' },
    relay: { type: 'string', multiple: true },
    json: { type: 'boolean' },
    follow: { type: 'boolean', short: 'f' },
    system: { type: 'boolean' },
    'no-start': { type: 'boolean' },
    web: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  const [command, subject, more] = positionals;
  if (values.help === true) return 'help';
  if (command === undefined) throw new UsageError('give a command: run, status, add, … (see --help)');
  if (!(commands as readonly string[]).includes(command))
    throw new UsageError(`no such command: ${JSON.stringify(command)}`);
  const known = command as AgentCommand;
  if (more !== undefined) throw new UsageError(`unexpected ${JSON.stringify(more)}`);
  if (withId.includes(known) && subject === undefined) throw new UsageError(`${known}: give the id of a service`);
  if (known === 'add' && subject === undefined) throw new UsageError('add: give what is to be exposed, such as 3000');
  if (!withId.includes(known) && known !== 'add' && subject !== undefined)
    throw new UsageError(`${known}: unexpected ${JSON.stringify(subject)}`);
  const port = (values.port ?? env['PORTAL_AGENT_PORT']) || '4018';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port is 0 to 65535, not ${JSON.stringify(port)}`);
  return {
    command: known,
    subject,
    stateDir: (values['state-dir'] ?? env['PORTAL_AGENT_STATE']) || configDirectory(env),
    configPath: (values.config ?? env['PORTAL_AGENT_CONFIG']) || undefined,
    port: Number(port),
    id: values.id,
    name: values.name,
    relays: values.relay,
    json: values.json === true,
    follow: values.follow === true,
    isSystem: values.system === true,
    noStart: values['no-start'] === true,
    isWeb: values.web === true,
  };
}
