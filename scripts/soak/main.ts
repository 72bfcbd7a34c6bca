/**
 * `npm run soak [-- --minutes N] [--seed N] [--portal FILE]`: a relay and its tunnels under load and attack at once, beside an honest tenant whose
 * every byte is checked. Ends with a table, and with 1 when a process ended, a handler failed, or an honest request was lost. Linux
 * only: attackers have loopback addresses of their own. `--portal` names the `main.js` of another build, to compare with.
 */
import { parseArgs } from 'node:util';
import { Random } from '../../test/tls/mutations.js';
import { attacks } from './attacks.js';
import { type HonestResult, visitHonestly } from './honest.js';
import { startWorld } from './world.js';

const honestVisitors = 3;
const attackers = 20;
const sampleMs = 1_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, portal: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
const minutes = Number(values.minutes);
if (!Number.isInteger(seed) || !(minutes > 0)) {
  process.stderr.write('soak: --minutes and --seed are numbers\n');
  process.exit(2);
}
process.stdout.write(`seed ${seed}\n`);

const world = await startWorld(values.portal);
const stop = new AbortController();
const honest: HonestResult = { requests: 0, lost: [], worstMs: 0 };
const tried: Record<string, number> = Object.fromEntries(Object.keys(attacks).map((name) => [name, 0]));
const broken: string[] = [];
let [relayMemory, tunnelMemory, loopLagMs, faults] = [0, 0, 0, 0];
const memoryAtStart = world.relay.memory();

async function attack(random: Random): Promise<void> {
  const names = Object.keys(attacks);
  while (!stop.signal.aborted) {
    const name = names[random.below(names.length)]!;
    tried[name]!++;
    try {
      await attacks[name]!(world, random);
    } catch (error) {
      if (broken.length < 20) broken.push(`${name}: ${(error as Error).stack}`);
    }
  }
}

async function sample(): Promise<void> {
  relayMemory = Math.max(relayMemory, world.relay.memory());
  tunnelMemory = Math.max(tunnelMemory, ...world.tunnels.map((tunnel) => tunnel.memory()));
  try {
    const text = await (await fetch(`http://127.0.0.1:${world.metricsPort}/metrics`)).text();
    const value = (name: RegExp) => [...text.matchAll(name)].reduce((sum, [, number]) => sum + Number(number), 0);
    loopLagMs = Math.max(loopLagMs, value(/^nodejs_eventloop_lag_max_seconds (\S+)/gm) * 1_000);
    faults = Math.max(faults, value(/^portal_handler_faults_total\{[^}]*\} (\S+)/gm));
  } catch {
    // Between two starts, which are counted.
  }
}

const sampler = setInterval(() => void sample(), sampleMs);
const work = [
  ...Array.from({ length: honestVisitors }, (_, index) =>
    visitHonestly(world, new Random(seed + index), stop.signal, honest),
  ),
  ...Array.from({ length: attackers }, (_, index) => attack(new Random(seed + 1_000 + index))),
];
await new Promise((resolve) => setTimeout(resolve, minutes * 60_000));
stop.abort();
await Promise.all(work);
clearInterval(sampler);
// What the attackers held is let go of by deadlines, the longest of which is a minute.
const calmMs = Math.min(100_000, minutes * 10_000);
await new Promise((resolve) => setTimeout(resolve, calmMs));
await sample();
const memoryAfter = world.relay.memory();

const restarts = [world.relay, ...world.tunnels].reduce((sum, each) => sum + each.restarts, 0);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
const rows: [string, string | number][] = [
  ...Object.entries(tried),
  ['attacks in all', Object.values(tried).reduce((sum, count) => sum + count, 0)],
  ['processes that ended', restarts],
  ['handlers that failed', faults],
  ['event-loop delay of the relay, worst', `${loopLagMs.toFixed(0)} ms`],
  ['memory of the relay, at the start', megabytes(memoryAtStart)],
  ['memory of the relay, worst', megabytes(relayMemory)],
  [`memory of the relay, ${(calmMs / 1_000).toFixed(0)} s after the attack`, megabytes(memoryAfter)],
  ['memory of a tunnel, worst', megabytes(tunnelMemory)],
  ['honest requests', honest.requests],
  ['honest requests, slowest', `${honest.worstMs.toFixed(0)} ms`],
  ['honest requests lost', honest.lost.length],
];
for (const [name, value] of rows) process.stdout.write(`${name.padEnd(40)}${String(value).padStart(20)}\n`);
for (const line of [...honest.lost.slice(0, 20), ...broken]) process.stdout.write(`  ${line}\n`);
if (restarts > 0 || faults > 0 || honest.lost.length > 0) process.exitCode = 1;
await world.stop();
// Sockets of attacks that are still about to end.
process.exit();
