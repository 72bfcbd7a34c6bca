/** Starts parts in order, and stops them in reverse order: each once, even if one of them throws. */
export class Lifecycle {
  readonly #steps: (() => unknown)[] = [];

  /** @param onError called for each stop that fails; the others still run */
  constructor(private readonly onError: (error: unknown) => void) {}

  /**
   * Starts a part.
   * @param stop run by `stop()`, unless the start failed
   * @throws what `start` throws; the caller must then call `stop()`
   */
  async start<Part>(start: () => Part | Promise<Part>, stop?: (part: Part) => unknown): Promise<Part> {
    const part = await start();
    if (stop) this.onStop(() => stop(part));
    return part;
  }

  /** Adds a step that `stop()` runs before all earlier ones. */
  onStop(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** @throws the first error of a step, once all have been run */
  async stop(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.onError(error);
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
