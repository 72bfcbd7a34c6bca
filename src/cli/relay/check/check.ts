import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readRelayConfig, type RelayConfig } from '../../../relay/config/config.js';
import { ConfigError, GivenSettings } from '../../../relay/config/given-settings.js';
import { relaySettings, type SettingName } from '../../../relay/config/settings.js';
import { lockStateDir } from '../../../relay/store/state-lock.js';
import { collectFindings, type Tell } from '../../support/finding.js';
import { table } from '../../support/table.js';
import { lookAtCertificate } from './certificate.js';
import { lookAtMachine } from './machine.js';
import { lookAtHealth, lookAtNames, lookAtPorts } from './network.js';
import { lookAtStore } from './store.js';

export const checkHelp = `Usage: portal relay check [--json] [settings of portal relay]

Looks for what keeps a relay with these settings from working, or will, without changing anything: where each setting comes from, the
state directory, certificate, DNS, ports, clock, open files, and what the features that are on need. Beside a relay that runs with the same state
directory it asks that one, as visitors would, instead of trying its ports. --json prints a line of JSON for each setting and each finding.

Exit code: 0 when nothing is wrong, 1 when something is, 2 for settings that are not valid.
`;

/** `portal relay check`. @returns the exit code */
export async function relayCheckCommand(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const json = argv.includes('--json');
  const flags = argv.filter((flag) => flag !== '--json');
  let config: RelayConfig;
  try {
    const given = new GivenSettings(flags, env);
    config = readRelayConfig(flags, env);
    process.stdout.write(json ? settingLines(given) : `${settingsTable(given)}\n`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) process.stderr.write(`portal relay check: ${fault}\n`);
    return 2;
  }
  const { tell, hasProblem } = collectFindings(json);
  const isRunning = lookAtState(config, tell);
  await lookAtCertificate(config, tell);
  await lookAtNames(config, isRunning, tell);
  if (isRunning) await lookAtHealth(config, tell);
  else await lookAtPorts(config, tell);
  await lookAtStore(config, tell);
  await lookAtMachine(config, tell);
  return hasProblem() ? 1 : 0;
}

interface Row {
  setting: string;
  value: string;
  from: string;
}

/** Those that have a value, what was given first. */
function rowsOf(given: GivenSettings): Row[] {
  const rows = (Object.keys(relaySettings) as SettingName[])
    .map((name) => ({
      setting: relaySettings[name].flag,
      value: withoutPassword(given.text(name) ?? ''),
      from: given.origin(name),
    }))
    .filter(({ value }) => value !== '');
  return [...rows.filter(({ from }) => from !== 'default'), ...rows.filter(({ from }) => from === 'default')];
}

/** Of a URL. */
const withoutPassword = (value: string) => value.replace(/^([a-z+]+:\/\/[^:@/]*):[^@/]*@/, '$1:***@');

function settingsTable(given: GivenSettings): string {
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return table<Row>(
    [
      { title: 'SETTING', of: ({ setting }) => setting },
      { title: 'VALUE', of: ({ value }) => value },
      { title: 'FROM', of: ({ from }) => from },
    ],
    rowsOf(given),
    width,
  );
}

const settingLines = (given: GivenSettings) =>
  rowsOf(given)
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('');

/** @returns whether a relay runs with this state */
function lookAtState({ stateDir }: RelayConfig, tell: Tell): boolean {
  const about = 'state directory';
  if (!existsSync(stateDir)) {
    tell('ok', about, `${stateDir} is made at the first start`);
    return false;
  }
  // The relay makes the file of its lock itself, as the user that it runs as.
  if (!existsSync(join(stateDir, 'lock'))) {
    tell('ok', about, `${stateDir} was not used yet`);
    return false;
  }
  try {
    lockStateDir(stateDir)();
    tell('ok', about, `${stateDir} is free`);
    return false;
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    if (cause?.code === 'SQLITE_BUSY') {
      tell('ok', about, `${stateDir} is in use by a relay that runs`);
      return true;
    }
    tell('problem', about, `${message}: the relay's user must be able to write there`);
    return false;
  }
}
