/** @param handsOver whether another process takes over, and only what it takes is given up now */
type Step = (handsOver: boolean) => unknown;

/** Starts parts in order, and stops them in reverse order: each once, even if one of them throws. */
export class Lifecycle {
  readonly #steps: { run: Step; lasts: boolean }[] = [];

  /** @param onError called for each stop that fails; the others still run */
  constructor(private readonly onError: (error: unknown) => void) {}

  /**
   * Starts a part.
   * @param stop run by `stop()`, unless the start failed
   * @throws what `start` throws; the caller must then call `stop()`
   */
  async start<Part>(
    start: () => Part | Promise<Part>,
    stop?: (part: Part, handsOver: boolean) => unknown,
  ): Promise<Part> {
    const part = await start();
    if (stop) this.onStop((handsOver) => stop(part, handsOver));
    return part;
  }

  /**
   * Adds a step that `stop()` runs before all earlier ones.
   * @param lasts whether it is left to `stop()` when another process takes over: what live connections need
   */
  onStop(step: Step, { lasts = false } = {}): void {
    this.#steps.push({ run: step, lasts });
  }

  /** Gives up what another process takes over; the rest is for `stop()`. @throws as `stop` does */
  async release(): Promise<void> {
    const steps = this.#steps.splice(0);
    this.#steps.push(...steps.filter(({ lasts }) => lasts));
    await this.#run(
      steps.filter(({ lasts }) => !lasts),
      true,
    );
  }

  /** @throws the first error of a step, once all have been run */
  async stop(): Promise<void> {
    await this.#run(this.#steps, false);
  }

  async #run(steps: { run: Step }[], handsOver: boolean): Promise<void> {
    const errors: unknown[] = [];
    for (let step = steps.pop(); step; step = steps.pop()) {
      try {
        await step.run(handsOver);
      } catch (error) {
        this.onError(error);
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
