import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseToml } from 'smol-toml';
import { isCidr } from '../../net/address-list.js';
import { type Setting, type SettingName, fileKey, relaySettings } from './settings.js';

/** All faults of a configuration, one per line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly faults: string[]) {
    super(faults.join('\n'));
  }
}

/**
 * The given settings: flags take precedence over the environment, the environment over the file (`--config`, TOML),
 * the file over the defaults. Faults are collected, so that all can be reported at once.
 */
export class GivenSettings {
  readonly faults: string[] = [];
  readonly #flags: Record<string, string | undefined>;
  readonly #env: NodeJS.ProcessEnv;
  readonly #filePath: string | undefined;
  readonly #file: Record<string, string | undefined>;

  /** @throws ConfigError when the flags cannot be parsed */
  constructor(argv: string[], env: NodeJS.ProcessEnv) {
    this.#flags = readFlags(argv);
    // An empty variable, as compose files set it, counts as unset: '' would mean port 0 and the working directory.
    this.#env = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
    this.#filePath = this.#flags['config'] ?? this.#env['PORTAL_CONFIG'];
    this.#file = readFile(this.#filePath, this.faults);
    const known = new Set(Object.values(relaySettings).map(fileKey));
    for (const key of Object.keys(this.#file))
      if (!known.has(key)) this.faults.push(`${key}: unknown setting (in the configuration file)`);
  }

  fault(name: SettingName, what: string): void {
    this.faults.push(`--${relaySettings[name].flag} (${relaySettings[name].env}): ${what}`);
  }

  text(name: SettingName): string | undefined {
    const setting: Setting = relaySettings[name];
    return this.#flags[setting.flag] ?? this.#env[setting.env] ?? this.#file[fileKey(setting)] ?? setting.fallback;
  }

  /** Where a setting comes from: `--flag`, `VARIABLE`, the file's path, or `default`. */
  origin(name: SettingName): string {
    const setting: Setting = relaySettings[name];
    if (this.#flags[setting.flag] !== undefined) return `--${setting.flag}`;
    if (this.#env[setting.env] !== undefined) return setting.env;
    return this.#file[fileKey(setting)] === undefined ? 'default' : (this.#filePath ?? 'default');
  }

  /** An integer within the bounds. */
  number(name: SettingName, min: number, max: number): number {
    const value = Number(this.text(name));
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.fault(name, `must be a whole number from ${min} to ${max}`);
    return min;
  }

  isOn(name: SettingName): boolean {
    const value = this.text(name) ?? 'false';
    if (!['true', 'false', '1', '0', 'on', 'off'].includes(value)) this.fault(name, 'must be true or false');
    return ['true', '1', 'on'].includes(value);
  }

  /** A comma-separated list, in lower case. */
  list(name: SettingName): string[] {
    return (this.text(name) as string)
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== '');
  }

  /** Addresses and ranges of them. */
  cidrs(name: SettingName): string[] {
    const items = this.list(name);
    for (const item of items)
      if (!isCidr(item)) this.fault(name, `${item} is neither an IP address nor a CIDR range such as 192.0.2.0/24`);
    return items;
  }

  oneOf<Choice extends string>(name: SettingName, choices: readonly Choice[]): Choice {
    const value = this.text(name) as Choice;
    if (choices.includes(value)) return value;
    this.fault(name, `must be one of ${choices.join(', ')}`);
    return choices[0] as Choice;
  }

  /** A file that exists. */
  file(name: SettingName): string | undefined {
    const path = this.text(name);
    if (path && !(existsSync(path) && statSync(path).isFile()))
      this.fault(name, `${path} is not a file that can be read`);
    return path;
  }

  /** The text of a file, without white space around it. */
  textOfFile(name: SettingName): string | undefined {
    const before = this.faults.length;
    const path = this.file(name);
    if (!path || this.faults.length > before) return undefined;
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      this.fault(name, (error as Error).message);
      return undefined;
    }
  }

  /** The certificates of a file, PEM. */
  certificates(name: SettingName): string | undefined {
    const pem = this.textOfFile(name);
    if (pem !== undefined && !pem.includes('-----BEGIN CERTIFICATE-----'))
      this.fault(name, `${this.text(name)} has no PEM certificate in it`);
    return pem;
  }
}

function readFlags(argv: string[]): Record<string, string | undefined> {
  const options: Record<string, { type: 'string' | 'boolean' }> = { config: { type: 'string' } };
  for (const setting of Object.values(relaySettings))
    options[setting.flag] = { type: setting.kind === 'switch' ? 'boolean' : 'string' };
  try {
    const { values } = parseArgs({ args: argv, options, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [flag, String(value)]));
  } catch (error) {
    throw new ConfigError([(error as Error).message.split('. ')[0] as string]);
  }
}

function readFile(path: string | undefined, faults: string[]): Record<string, string | undefined> {
  if (path === undefined) return {};
  try {
    return Object.fromEntries(
      Object.entries(parseToml(readFileSync(path, 'utf8'))).map(([key, value]) => [key, textOf(value)]),
    );
  } catch (error) {
    faults.push(`--config (PORTAL_CONFIG): ${(error as Error).message.split('\n')[0]}`);
    return {};
  }
}

/** A value of the file in the form of a variable: a list becomes its items, separated by commas. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.map(textOf).join(',') : `${value as string}`;
}
