import { writeFile } from 'node:fs/promises';
import type { Requirement, Verdict } from '../conformance/verdict.js';
import { UsageError } from '../sdk/calls/errors.js';
import { parseRelayUrl } from '../sdk/calls/relay-url.js';
import { parseArguments } from './support/arguments.js';
import { readCertificates } from './support/files.js';

const help = `Usage: portal conformance --command "PROGRAM ARGS" [options]
       portal conformance --listen [--only ID] [options]
       portal conformance --relay URL [--ca FILE] [options]

Plays relays for an SDK, honest ones and others, and reports which requirements of the protocol the SDK meets. The SDK is run as a program
that takes its task as a line of JSON on standard input, and tells by lines of JSON what becomes of it: docs/conformance.md.
With --relay it holds a relay against the contract instead: it leases names there and gives them back.

  --command COMMAND    starts the SDK's driver, by a shell
  --listen             play for an SDK that you start yourself, in a debugger for example, one scenario after the other
  --relay URL          the relay to look at
  --ca FILE            PEM certificates to trust instead of the well-known ones
  --list               print the requirements, and play nothing; with --relay those of relays
  --level N            only the requirements up to this level [2]
  --only ID            only requirements whose id begins so; may be given several times
  --at-once N          scenarios at the same time [2]
  --json               one line of JSON
  --junit FILE         also write JUnit's XML
  --help               this text

Exit code: 0 when every requirement is met, 1 when one is not, 2 for wrong usage.
`;

/** `portal conformance`. @returns the exit code */
export async function conformanceCommand(argv: string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal conformance: ${error.message}\n`);
    return 2;
  }
}

async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArguments(argv, {
    command: { type: 'string' },
    listen: { type: 'boolean' },
    relay: { type: 'string' },
    ca: { type: 'string' },
    list: { type: 'boolean' },
    level: { type: 'string' },
    only: { type: 'string', multiple: true },
    'at-once': { type: 'string' },
    json: { type: 'boolean' },
    junit: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`unexpected: ${positionals[0]}; the driver goes behind --command`);
  if ([values.command, values.relay, values.listen].filter((value) => value !== undefined).length > 1)
    throw new UsageError('give one of --command and --listen for an SDK, and --relay for a relay');
  const [level, atOnce] = [whole('--level', values.level ?? '2', 2), whole('--at-once', values['at-once'] ?? '2', 16)];
  const isWanted = (requirement: Requirement) =>
    requirement.level <= level && (!values.only || values.only.some((start) => requirement.id.startsWith(start)));
  // Imported late because it loads many modules: a usage error should be reported at once.
  const { manifest } = await import('../conformance/scenarios/manifest.js');
  const { relayChecks } = await import('../conformance/relay/checks.js');
  const { asJson, asJUnit, asLine, asText } = await import('../conformance/report/report.js');
  const [scenarios, checks] = [manifest.filter(isWanted), relayChecks.filter(isWanted)];
  const wanted: readonly Requirement[] = values.relay === undefined ? scenarios : checks;
  if (wanted.length === 0) throw new UsageError('no requirement has such an id: see --list');
  if (values.list === true) {
    process.stdout.write(list(wanted, values.json === true));
    return 0;
  }
  const onVerdict = values.json === true ? undefined : (verdict: Verdict) => print(asLine(verdict));
  const { runConformance } = await import('../conformance/run.js');
  const { checkRelay } = await import('../conformance/relay/check-relay.js');
  let verdicts: Verdict[];
  if (values.relay !== undefined) {
    const ca = values.ca === undefined ? undefined : readCertificates(values.ca);
    verdicts = await checkRelay({ url: parseRelayUrl(values.relay), ca, checks, onVerdict });
  } else if (values.command !== undefined || values.listen === true) {
    const how = values.listen === true ? 1 : atOnce;
    verdicts = await runConformance({ command: values.command, scenarios, atOnce: how, onVerdict });
  } else throw new UsageError('give a driver: --command "PROGRAM ARGS", a relay: --relay URL, or --listen, or --list');
  print(values.json === true ? asJson(verdicts) : asText(verdicts));
  if (values.junit !== undefined) await write(values.junit, asJUnit(verdicts));
  return verdicts.every(({ passed }) => passed) ? 0 : 1;
}

function list(wanted: readonly Requirement[], asJson: boolean): string {
  const requirements = wanted.map(({ id, level, requirement, source }) => ({ id, level, requirement, source }));
  if (asJson) return `${JSON.stringify({ requirements })}\n`;
  return requirements
    .map(({ id, level, requirement, source }) => `${level} ${id}: ${requirement} (${source})\n`)
    .join('');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function whole(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) throw new UsageError(`${option} is from 1 to ${most}`);
  return value;
}
