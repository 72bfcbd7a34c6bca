/** What was started or opened, to be stopped in reverse: each once, whatever one of them throws. */
export class Lifecycle {
  readonly #steps: (() => unknown)[] = [];

  /** @param onError told of each step that fails; the others are taken all the same */
  constructor(private readonly onError: (error: unknown) => void) {}

  /** Adds a step, which comes before all that were added earlier. */
  onStop(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** @throws the first error of a step, once all have been taken */
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
