import { UsageError } from '../../sdk/calls/errors.js';
import { readAgentArguments } from './arguments.js';

const help = `Usage: portal agent COMMAND [options]

Keeps services on the air after the terminal is closed: those of a configuration file, which may be changed while they run.

  run                    serve until it is interrupted
  status                 what each service does
  add TARGET             add a service, as portal expose takes it: --id ID, --name NAME, --relay URL (may be given several times)
  remove ID              take a service out of the configuration
  start ID, stop ID      stop a service until it is started again, over restarts of the agent as well
  restart ID             end its tunnel, and start it anew
  logs ID [--follow]     the last lines of its log, and with --follow (-f) those that come
  dashboard              all of it on this terminal; --web: the address of a page for a browser, which serves once
  shutdown               end the agent
  install, uninstall     have the system start it: systemd, launchd or the Task Scheduler, when you log in; --system: with the machine,
                         as a user of its own (systemd, as root); --no-start: only the file

Options:
  --state-dir DIR   PORTAL_AGENT_STATE    where the agent says how it is reached [~/.config/portal]
  --config FILE     PORTAL_AGENT_CONFIG   run: the configuration [agent.toml in that folder]
  --port PORT       PORTAL_AGENT_PORT     run: port on 127.0.0.1 that it is controlled by [4018]
  --json                                  output in JSON
  --help                                  this text

Exit code: 0 when it was done, 1 when not, or when no agent runs, 2 for wrong usage.
`;

/** `portal agent`. @returns the exit code */
export async function agentCommand(argv: string[]): Promise<number> {
  try {
    const given = readAgentArguments(argv, process.env);
    if (given === 'help') {
      process.stdout.write(help);
      return 0;
    }
    if (given.command === 'run') return await (await import('./run.js')).runAgent(given);
    if (given.command === 'install' || given.command === 'uninstall')
      return await (await import('./install.js')).installAgent(given);
    if (given.command === 'dashboard') return await (await import('./dashboard.js')).agentDashboard(given);
    return await (await import('./control.js')).controlAgent(given);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal agent: ${error.message}\n`);
    return 2;
  }
}
