import { join } from 'node:path';
import { configDirectory } from '../../sdk/identity/identity-file.js';
import type { CommandLine, Origin } from './command-line.js';
import { readDefaults } from './expose-config.js';
import { type GivenSettings, type SettingKey, settingEntries } from './settings.js';

/** `$XDG_CONFIG_HOME/portal/defaults.toml` */
export function defaultsFile(env: NodeJS.ProcessEnv): string {
  return join(configDirectory(env), 'defaults.toml');
}

export interface SettingsInForce {
  given: GivenSettings;
  /** Where each value that was given comes from. */
  origins: Map<SettingKey, Origin>;
}

/**
 * Flags, then the environment, then the file of defaults.
 * @throws UsageError when the file cannot be read or is not valid
 */
export function inForce({ given, origins }: CommandLine, env: NodeJS.ProcessEnv): SettingsInForce {
  const file = defaultsFile(env);
  const defaults = readDefaults(file) ?? {};
  const merged: Record<string, unknown> = { ...given };
  const from = new Map(origins);
  for (const [key] of settingEntries) {
    if (defaults[key] === undefined || from.has(key)) continue;
    merged[key] = defaults[key];
    from.set(key, { file });
  }
  return { given: merged, origins: from };
}

export function describeOrigin(origin: Origin | undefined): string {
  if (origin === undefined) return 'default';
  return 'flag' in origin ? origin.flag : 'env' in origin ? origin.env : origin.file;
}
