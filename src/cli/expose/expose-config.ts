import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { parseAgentSettings } from '../../agent/configuration/agent-settings.js';
import type { ConfiguredService, ReadConfiguration } from '../../agent/services/agent.js';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import { defaultIdentityFile } from '../../sdk/identity/identity-file.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { checkExposeOptions, type ExposeOptions } from '../../tunnel/index.js';
import {
  type ExposeSetting,
  type GivenSettings,
  type SettingKey,
  type SettingKind,
  exposeSettings,
} from './settings.js';
import { givenRelays, toExposeOptions } from './to-expose-options.js';

const maxConfigBytes = 1_048_576;
/** Most services in one process: each takes a few connections to each of its relays. */
const maxServices = 1_024;

/**
 * Reads the file of `portal expose --config`. Relative paths in it start at the file's directory.
 * @returns the options of each service that is to be served, by its key
 * @throws UsageError with one clear line
 */
export function readExposeConfig(path: string): Map<string, ExposeOptions> {
  const served = [...readConfiguration(path).services].filter(([, { disabled }]) => !disabled);
  if (served.length === 0) throw new UsageError('all services are disabled');
  return new Map(served.map(([key, { options }]) => [key, options]));
}

/**
 * The same, with services that are disabled, and what it says of the agent.
 * @param mayBeEmpty whether there may be no services
 * @throws UsageError with one clear line
 */
export function readConfiguration(path: string, { mayBeEmpty = false } = {}): ReadConfiguration {
  const table = readToml(path);
  const { services, agent: agentTable, ...rest } = table;
  const agent = parseAgentSettings(agentTable);
  const defaults = readFields(rest, 'anywhere');
  if (mayBeEmpty && services === undefined) return { services: new Map(), agent };
  if (typeof services !== 'object' || services === null || Array.isArray(services))
    throw new UsageError('names no services: each is a table [services.NAME]');
  const entries = Object.entries(services);
  if (entries.length === 0 && !mayBeEmpty) throw new UsageError('names no services: each is a table [services.NAME]');
  if (entries.length > maxServices) throw new UsageError(`${maxServices} services at most, not ${entries.length}`);
  const read = new Map<string, ConfiguredService>();
  for (const [key, value] of entries) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UsageError(`services.${key}: is not a table`);
    try {
      const own = readFields(value as Record<string, unknown>, 'service');
      const fields = { ...defaults, ...own };
      const named = fields.domain === undefined ? { name: key, ...fields } : fields;
      const options = asOptions(named, dirname(resolve(path)));
      checkExposeOptions(options);
      read.set(key, { options, disabled: fields.disabled ?? false, settings: settingsOf(named, own, defaults) });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`services.${key}: ${error.message}`, { cause: error });
    }
  }
  refuseTwins(read);
  return { services: read, agent };
}

/**
 * Reads the file of defaults: what is allowed at the top level of a `--config` file. Relative paths start at its directory.
 * @returns undefined when there is none. @throws UsageError with one clear line
 */
export function readDefaults(path: string): GivenSettings | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const fields = readFields(readToml(path), 'anywhere');
    for (const key of ['ca', 'identity', 'acme_ca', 'acme_eab_key'] as const)
      if (fields[key] !== undefined) fields[key] = pathFrom(dirname(resolve(path)), fields[key]);
    return fields;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${path}: ${error.message}`, { cause: error });
  }
}

/** @throws UsageError with one clear line */
export function readToml(path: string): Record<string, unknown> {
  let text: string;
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new UsageError('not a regular file');
    if (status.size > maxConfigBytes) throw new UsageError('too large for a configuration');
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (systemCode(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new UsageError('not in UTF-8', { cause: error });
    throw new UsageError(systemCode(error) ?? 'cannot be read', { cause: error });
  }
  try {
    return parse(text);
  } catch (error) {
    const [line] = (error as Error).message.split('\n');
    const { line: at } = error as { line?: number };
    throw new UsageError(`${line}${at === undefined ? '' : ` (line ${at})`}`, { cause: error });
  }
}

/** @param place in the file: inside one service, or at the top level, whose values apply to every service */
function readFields(table: Record<string, unknown>, place: 'service' | 'anywhere'): GivenSettings {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(table)) {
    const setting = settingOf(name);
    if (!setting || (place === 'anywhere' && setting.file !== 'anywhere'))
      throw new UsageError(`${name}: unknown setting`);
    if (!fits(value, setting.kind)) throw new UsageError(`${name}: must be ${wordFor[setting.kind]}`);
    fields[name] = value;
  }
  return fields;
}

function settingOf(name: string): ExposeSetting | undefined {
  return Object.hasOwn(exposeSettings, name) ? exposeSettings[name as SettingKey] : undefined;
}

const wordFor: Record<SettingKind, string> = {
  text: 'a string',
  texts: 'a list of strings',
  number: 'a whole number',
  seconds: 'a whole number',
  switch: 'true or false',
  target: 'a port or an address',
};

function fits(value: unknown, kind: SettingKind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'texts':
      return Array.isArray(value) && value.every((each) => typeof each === 'string');
    case 'number':
    case 'seconds':
      return typeof value === 'number' && Number.isSafeInteger(value);
    case 'switch':
      return typeof value === 'boolean';
    case 'target':
      return fits(value, 'text') || fits(value, 'number');
  }
}

function asOptions(fields: GivenSettings, directory: string): ExposeOptions {
  if (givenRelays(fields).length === 0) throw new UsageError('relays: give one at least');
  const pathOf = (path: string) => pathFrom(directory, path);
  const options = toExposeOptions(fields, { nameOf: (key) => (key === 'ca' ? key : `${key}:`), pathOf });
  return { ...options, identityFile: options.identityFile ?? defaultIdentityFile() };
}

function pathFrom(directory: string, path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(directory, path);
}

/** Each value, and which table it comes from. */
function settingsOf(
  inForce: GivenSettings,
  own: GivenSettings,
  defaults: GivenSettings,
): ConfiguredService['settings'] {
  return (Object.entries(inForce) as [string, string | number | boolean | string[]][]).map(([name, value]) => ({
    name,
    value,
    from: Object.hasOwn(own, name) ? 'service' : Object.hasOwn(defaults, name) ? 'file' : 'default',
  }));
}

/** Two services with one name would replace each other's lease, or one would be refused. */
function refuseTwins(services: Map<string, ConfiguredService>): void {
  const seen = new Map<string, { key: string; options: ExposeOptions }[]>();
  for (const [key, { options }] of services) {
    const name = (options.domain ?? options.name ?? '').toLowerCase();
    const others = seen.get(name) ?? [];
    for (const other of others) {
      if (options.group !== undefined && options.group === other.options.group) continue;
      const relays = originsOf(other.options);
      const share = originsOf(options).some((origin) => relays.includes(origin));
      if (share || mayBeAnywhere(options) || mayBeAnywhere(other.options))
        throw new UsageError(`services.${key}: ${name} is the name of services.${other.key} on the same relay`);
    }
    seen.set(name, [...others, { key, options }]);
  }
}

const mayBeAnywhere = ({ discovery, hops }: ExposeOptions) => discovery === true || typeof hops === 'number';

/** Where the name is: of a path, at its entry. The same relay may be written with a slash, without a scheme, or with its default port. */
function originsOf({ relay, hops }: ExposeOptions): string[] {
  const relays = Array.isArray(hops) ? hops.slice(0, 1) : (relay as string[]);
  return relays.map((url) => parseRelayUrl(String(url)).origin);
}
