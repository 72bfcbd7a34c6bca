import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Random, mutate } from '../tls/mutations.js';
import type { Target } from './targets.js';

// In the sources, not in dist/, so that what is found can be committed.
const corpus = fileURLToPath(new URL('../../../test/corpus/', import.meta.url));

export interface FuzzResult {
  inputs: number;
  /** Of the slowest input, in milliseconds of CPU time. */
  worstMs: number;
  faults: { input: Buffer; error: Error }[];
}

/** An input that takes more CPU time than this, each time, is a fault: milliseconds. */
const longestMs = 50;
const reruns = 5;
const maxInputBytes = 65_536;
const maxFaults = 10;

export function corpusOf(target: Target): Buffer[] {
  const folder = `${corpus}${target.name}/`;
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(folder + name));
}

/** Keeps an input for good: it is tried first from then on. @returns where it is */
export function keep(target: Target, input: Buffer): string {
  const folder = `${corpus}${target.name}/`;
  mkdirSync(folder, { recursive: true });
  const file = `${folder}found-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(file, input);
  return file;
}

/** Tries the corpus, and then mutations of it, until the time is up or so many inputs were tried. */
export async function fuzz(target: Target, seed: number, until: { ms?: number; inputs?: number }): Promise<FuzzResult> {
  const random = new Random(seed);
  const seeds = corpusOf(target);
  const result: FuzzResult = { inputs: 0, worstMs: 0, faults: [] };
  const end = performance.now() + (until.ms ?? Infinity);
  const isOver = () => result.inputs >= (until.inputs ?? Infinity) || performance.now() >= end;
  for (const input of seeds) await tryInput(target, input, random, result);
  while (!isOver() && result.faults.length < maxFaults) await tryInput(target, derive(seeds, random), random, result);
  return result;
}

async function tryInput(target: Target, input: Buffer, random: Random, result: FuzzResult): Promise<void> {
  result.inputs++;
  try {
    let took = await timed(target, input, random);
    // What the machine or the garbage collector did meanwhile is not the parser's: the shortest of several runs counts.
    for (let run = 0; run < reruns && took > result.worstMs; run++)
      took = Math.min(took, await timed(target, input, random));
    result.worstMs = Math.max(result.worstMs, took);
    if (took > longestMs) throw new Error(`it takes ${Math.round(took)} ms of CPU time`);
  } catch (error) {
    result.faults.push({ input, error: error as Error });
  }
}

/** @returns milliseconds of CPU time */
async function timed(target: Target, input: Buffer, random: Random): Promise<number> {
  const began = process.cpuUsage();
  await target.run(input, random);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}

/** A mutation of one input, of the front of one and the back of another, or of one with a part of it many times over. */
function derive(seeds: Buffer[], random: Random): Buffer {
  const any = () => seeds[random.below(seeds.length)]!;
  let input = any();
  const kind = random.below(8);
  if (kind === 0) {
    const other = any();
    input = Buffer.concat([
      input.subarray(0, random.below(input.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  } else if (kind === 1 && input.length > 0) {
    // What grows faster than its input shows where something comes very often.
    const at = random.below(input.length);
    const part = input.subarray(at, at + 1 + random.below(8));
    const times = 1 + random.below(Math.floor(maxInputBytes / 4 / part.length));
    input = Buffer.concat([input.subarray(0, at), ...Array<Buffer>(times).fill(part), input.subarray(at)]);
  }
  return mutate(input, random).subarray(0, maxInputBytes);
}
