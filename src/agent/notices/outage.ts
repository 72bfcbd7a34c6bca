import { guard } from '../../util/boundary.js';

/** How long trouble, or its end, must last to be told. */
const patienceMs = 15_000;

/** Tells of trouble once, and once of its end: what comes and goes within the patience is told as one, or not at all. */
export class Outage {
  /** What was told last. */
  #isTold = false;
  #reason: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /**
   * @param told the trouble, in a line, or undefined for its end
   * @param waitMs milliseconds
   */
  constructor(
    private readonly told: (reason: string | undefined) => void,
    private readonly waitMs = patienceMs,
  ) {}

  /** @param reason of the trouble; undefined for none @param isFinal it will not go by itself */
  set(reason: string | undefined, isFinal = false): void {
    if (this.#isOver) return;
    this.#reason = reason;
    if ((reason !== undefined) === this.#isTold) this.#forget();
    else if (isFinal) this.#tell();
    else
      this.#timer ??= setTimeout(
        guard('agent notice', () => this.#tell()),
        this.waitMs,
      );
  }

  /** What was told is forgotten, as if there had been no trouble: nobody waits for its end. */
  reset(): void {
    this.#forget();
    this.#reason = undefined;
    this.#isTold = false;
  }

  /** Nothing more is told. */
  stop(): void {
    this.#isOver = true;
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tell(): void {
    this.#forget();
    this.#isTold = this.#reason !== undefined;
    this.told(this.#reason);
  }
}
