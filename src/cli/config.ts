import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stringify } from 'smol-toml';
import { UsageError } from '../sdk/calls/errors.js';
import { parseRelayUrl } from '../sdk/calls/relay-url.js';
import { readCommandLine } from './expose/command-line.js';
import { defaultsFile, describeOrigin, inForce } from './expose/defaults.js';
import { readDefaults, readToml } from './expose/expose-config.js';
import { settingEntries } from './expose/settings.js';
import { table } from './support/table.js';

const help = `Usage: portal config [--json] [options of portal expose]
       portal config use URL ...

Prints what portal expose would use, and where each value comes from: a flag, the environment, or the file of defaults.
\`use\` writes the relays to that file, so that portal expose needs no --relay.

The file is $XDG_CONFIG_HOME/portal/defaults.toml. It may hold what a --config file may have at its top level.
`;

/** `portal config`. @returns the exit code */
export function configCommand(argv: string[], env: NodeJS.ProcessEnv = process.env): number {
  try {
    if (argv[0] === 'use') return useRelays(argv.slice(1), env);
    const line = readCommandLine(argv, env);
    if (line.help) {
      process.stdout.write(help);
      return 0;
    }
    if (line.config !== undefined) throw new UsageError('a --config file says what is in it');
    const { given, origins } = inForce(line, env);
    const rows = settingEntries
      .filter(([key]) => origins.has(key))
      .map(([key]) => ({ key, value: given[key], from: describeOrigin(origins.get(key)) }));
    if (line.json)
      process.stdout.write(
        `${JSON.stringify(Object.fromEntries(rows.map(({ key, value, from }) => [key, { value, from }])))}\n`,
      );
    else if (rows.length === 0)
      process.stdout.write(`Nothing is set: portal expose uses its defaults. File of defaults: ${defaultsFile(env)}\n`);
    else
      process.stdout.write(
        table(
          [
            { title: 'SETTING', of: (row) => row.key },
            { title: 'VALUE', of: (row) => (Array.isArray(row.value) ? row.value.join(', ') : String(row.value)) },
            { title: 'FROM', of: (row) => row.from, longest: 200 },
          ],
          rows,
        ),
      );
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal config: ${error.message}\n`);
    return 2;
  }
}

/** @throws UsageError when a URL is not one, or the file cannot be changed without loss */
function useRelays(urls: string[], env: NodeJS.ProcessEnv): number {
  if (urls.length === 0) throw new UsageError('give the URL of the relay, such as https://relay.example.com');
  const relays = urls.map((url) => parseRelayUrl(url).origin);
  const file = defaultsFile(env);
  // What is there must be valid, and comments would be lost.
  const isThere = readDefaults(file) !== undefined;
  const before = isThere ? readToml(file) : {};
  if (isThere && readFileSync(file, 'utf8').includes('#'))
    throw new UsageError(`${file} has comments, which would be lost: set relays in it by hand`);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const made = `${file}.${process.pid}`;
  writeFileSync(made, stringify({ ...before, relays }), { mode: 0o600 });
  renameSync(made, file);
  process.stdout.write(`portal expose now uses ${relays.join(', ')} (${file})\n`);
  return 0;
}
