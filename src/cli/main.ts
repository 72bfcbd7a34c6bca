#!/usr/bin/env node
import { packageVersion } from './support/package-version.js';
import { surviveClosedOutput } from '../util/standard-output.js';

const help = `Usage: portal COMMAND [options]

Puts a service on your machine on a public HTTPS name, through a relay that cannot read its traffic.

  portal expose TARGET [--relay URL]  put a local service on a public name
  portal agent COMMAND                keep services on the air without a terminal
  portal list --relay URL             print the relays that a relay knows
  portal relay --portal-url URL       run a relay; portal relay check finds what keeps it from working
  portal admin COMMAND                govern a relay
  portal config                       what portal expose would use; portal config use URL
  portal doctor                       find what keeps portal expose from working
  portal conformance --command CMD    hold an SDK against the protocol
  portal completion SHELL             completions for bash, zsh or fish
  portal help                         this text
  portal version                      the version of this program

Each command explains itself with --help.
`;

/** Runs one command. @returns the exit code: 0 success, 1 failure, 2 usage error */
async function main([command, ...rest]: string[]): Promise<number> {
  switch (command) {
    case 'expose':
      return await (await import('./expose/expose.js')).exposeCommand(rest);
    case 'agent':
      return await (await import('./agent/agent.js')).agentCommand(rest);
    case 'list':
      return await (await import('./list.js')).listCommand(rest);
    case 'relay':
      return await (await import('./relay/relay.js')).relayCommand(rest);
    case 'admin':
      return await (await import('./admin/admin.js')).adminCommand(rest);
    case 'config':
      return (await import('./config.js')).configCommand(rest);
    case 'doctor':
      return await (await import('./doctor/doctor.js')).doctorCommand(rest);
    case 'conformance':
      return await (await import('./conformance.js')).conformanceCommand(rest);
    case 'completion':
      return (await import('./completion.js')).completionCommand(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(help);
      return 0;
    case 'version':
    case '--version':
    case '-v':
      process.stdout.write(`${packageVersion()}\n`);
      return 0;
    case undefined:
      process.stderr.write(help);
      return 2;
    default:
      process.stderr.write(`portal: no such command: ${JSON.stringify(command)}; see portal help\n`);
      return 2;
  }
}

surviveClosedOutput();
process.exitCode = await main(process.argv.slice(2));
