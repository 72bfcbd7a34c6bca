import { UsageError } from '../../sdk/calls/errors.js';
import { parseArguments } from '../support/arguments.js';
import { type ExposeSetting, type GivenSettings, type SettingKey, exposeSettings, settingEntries } from './settings.js';

/** Flags of the command itself, not of the service. */
const commandFlags = {
  config: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Where a setting's value comes from. */
export type Origin = { flag: string } | { env: string } | { file: string };

export interface CommandLine {
  given: GivenSettings;
  origins: Map<SettingKey, Origin>;
  config: string | undefined;
  json: boolean;
  help: boolean;
}

/** Reads the flags, then the environment for every flag that is absent. @throws UsageError with one clear line */
export function readCommandLine(argv: string[], env: NodeJS.ProcessEnv): CommandLine {
  const settingFlags: Record<string, { type: 'string' | 'boolean'; multiple?: true }> = Object.fromEntries(
    settingEntries.flatMap(([, setting]) => flagOf(setting)),
  );
  const { values: parsed, positionals } = parseArguments(argv, { ...settingFlags, ...commandFlags });
  const values: Record<string, string | boolean | (string | boolean)[] | undefined> = parsed;
  const config = values['config'] as string | undefined;
  const command = { config, json: values['json'] === true, help: values['help'] === true };
  const origins = new Map<SettingKey, Origin>();
  if (command.help) return { given: {}, origins, ...command };
  if (config !== undefined) {
    const flags = Object.keys(values).filter((flag) => !Object.hasOwn(commandFlags, flag));
    const [other] = [...positionals.map((word) => JSON.stringify(word)), ...flags.map((flag) => `--${flag}`)];
    if (other !== undefined) throw new UsageError(`--config cannot be combined with ${other}: put it into the file`);
    return { given: {}, origins, ...command };
  }
  const [target, more] = positionals;
  if (more !== undefined)
    throw new UsageError(`unexpected argument ${JSON.stringify(more)}: one service at a time, or --config for many`);
  const given: Record<string, unknown> = { target };
  for (const [key, setting] of settingEntries) {
    if (setting.flag === undefined) continue;
    const flag = values[setting.flag] as string | string[] | boolean | undefined;
    // An empty variable, as compose files set it, counts as unset.
    const text = (setting.env && env[setting.env]) || undefined;
    given[key] = readValue(setting, flag, text);
    if (flag !== undefined) origins.set(key, { flag: `--${setting.flag}` });
    else if (text !== undefined) origins.set(key, { env: setting.env as string });
  }
  return { given: given, origins, ...command };
}

/** @throws UsageError when the value is not a number */
function readValue(setting: ExposeSetting, flag: string | string[] | boolean | undefined, text: string | undefined) {
  switch (setting.kind) {
    case 'switch': {
      const isSet = flag === true || (text !== undefined && isOn(text));
      return setting.flag?.startsWith('no-') ? !isSet : isSet || undefined;
    }
    case 'texts':
      return (flag === undefined ? text?.split(',') : (flag as string[]))?.map((each) => each.trim()).filter(Boolean);
    case 'number':
    case 'seconds':
      return readNumber(setting, (flag as string | undefined) ?? text);
    default:
      return flag ?? text;
  }
}

function readNumber({ flag, kind, least = 0 }: ExposeSetting, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const what = kind === 'seconds' ? `a number of seconds from ${least} to 86400` : 'a number';
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${flag} is ${what}, not ${JSON.stringify(text)}`);
  return Number(text);
}

function flagOf({ flag, kind }: ExposeSetting): [string, { type: 'string' | 'boolean'; multiple?: true }][] {
  if (flag === undefined) return [];
  if (kind === 'switch') return [[flag, { type: 'boolean' }]];
  return [[flag, kind === 'texts' ? { type: 'string', multiple: true } : { type: 'string' }]];
}

function isOn(text: string): boolean {
  return ['1', 'true', 'yes', 'on'].includes(text.toLowerCase());
}

/** The flag of a setting. */
export function flagName(key: SettingKey): string {
  const { flag }: ExposeSetting = exposeSettings[key];
  return flag === undefined ? key : `--${flag}`;
}

const [flagWidth, envWidth, width] = [23, 20, 120];

/** The lines of `--help` for all settings. */
export function settingsHelp(): string {
  const lines: string[] = [];
  for (const [, { flag, argument, env, help }] of settingEntries) {
    if (flag !== undefined) lines.push(...helpLines(`--${flag}${argument ? ` ${argument}` : ''}`, env ?? '', help));
    if (flag === 'allow-private')
      lines.push(
        ...helpLines(
          '--config FILE',
          '',
          'many services, from a TOML file that is read again when it changes; see docs/operations.md',
        ),
      );
  }
  lines.push(...helpLines('--json', '', 'one line of JSON on stdout once it is up, events as JSON on stderr'));
  lines.push(...helpLines('--help', '', 'this text'));
  return lines.join('\n');
}

function helpLines(flag: string, env: string, help: string): string[] {
  const wrapped: string[] = [''];
  for (const word of help.split(' ')) {
    const line = wrapped.at(-1) as string;
    if (line !== '' && flagWidth + envWidth + line.length + 1 + word.length > width) wrapped.push(word);
    else wrapped[wrapped.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  const indent = ' '.repeat(flagWidth + envWidth);
  const head = `  ${flag}`.padEnd(flagWidth) + env;
  const [first = '', ...rest] = wrapped;
  const lines =
    head.length < flagWidth + envWidth ? [head.padEnd(flagWidth + envWidth) + first] : [head, indent + first];
  return [...lines, ...rest.map((line) => indent + line)].map((line) => line.trimEnd());
}
