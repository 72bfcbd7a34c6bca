export interface UntilOptions {
  /** Milliseconds after which it is given up. */
  deadlineMs?: number;
}

const spins = 50;
const pauseMs = 10;

/**
 * Looks again and again, at what makes no event of its own, until it is so.
 * @returns what was found
 * @throws Error that quotes the condition, when it is not so in time
 */
export async function until<Found>(
  look: () => Promise<Found | false | undefined> | Found | false | undefined,
  { deadlineMs = 60_000 }: UntilOptions = {},
): Promise<Found> {
  const deadline = performance.now() + deadlineMs;
  for (let looks = 0; ; looks++) {
    const found = await look();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${look.toString()}`);
    await new Promise<void>((resolve) => (looks < spins ? setImmediate(resolve) : setTimeout(resolve, pauseMs)));
  }
}
