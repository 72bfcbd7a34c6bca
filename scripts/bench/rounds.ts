/** Runs each of several things in turn, round after round, beginning with another one each time. */
export async function alternate<Thing, Result>(
  things: Thing[],
  rounds: number,
  run: (thing: Thing) => Promise<Result>,
): Promise<Map<Thing, Result[]>> {
  const results = new Map<Thing, Result[]>(things.map((thing) => [thing, []]));
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < things.length; index++) {
      const thing = things[(index + round) % things.length]!;
      results.get(thing)!.push(await run(thing));
    }
  }
  return results;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** Runs `count` pieces of work, `atOnce` of them at a time. */
export async function concurrently(count: number, atOnce: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
