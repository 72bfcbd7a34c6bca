import type { BodyCheck, Verdict } from './gate.js';

/** How long the body may take. */
const bodyTimeoutMs = 30_000;

/** The body of a request that is not forwarded before it is complete and checked. */
export class HeldBody {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isReleased = false;
  readonly #timer: NodeJS.Timeout;

  /** @param onLate the body did not come in time; must not throw */
  constructor(
    private readonly check: BodyCheck,
    onLate: () => void,
  ) {
    this.#timer = setTimeout(onLate, bodyTimeoutMs);
  }

  /** Bytes that it may have. */
  get most(): number {
    return this.check.most;
  }

  /** @returns false when it is too large; nothing is held then */
  add(data: Buffer): boolean {
    this.#bytes += data.length;
    if (this.#bytes <= this.check.most) this.#pieces.push(data);
    else this.#pieces = [];
    return this.#bytes <= this.check.most;
  }

  /** It has come. */
  complete(): { whole: Buffer; verdict: Verdict | Promise<Verdict> } {
    clearTimeout(this.#timer);
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return { whole, verdict: this.check.decide(whole) };
  }

  /** It is no longer held. */
  release(): void {
    clearTimeout(this.#timer);
    if (!this.#isReleased) this.check.release?.();
    this.#isReleased = true;
  }
}
