/**
 * A value that takes time to make. It is used again until making it anew takes no more than a share of the time: where
 * it is cheap it is fresh each time, and where it is not, asking for it often costs nothing more.
 */
export class CostlyValue<Value> {
  #value: Value | undefined;
  #validUntil = -Infinity;

  /** @param share of the time that may go into making it, up to 1 */
  constructor(
    private readonly make: () => Value,
    private readonly share: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get(): Value {
    const began = this.now();
    if (began < this.#validUntil) return this.#value as Value;
    this.#value = this.make();
    const ended = this.now();
    this.#validUntil = ended + (ended - began) / this.share;
    return this.#value;
  }
}
