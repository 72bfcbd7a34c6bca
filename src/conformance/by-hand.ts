import { createInterface, type Interface } from 'node:readline';
import type { DriverTask, SdkRun } from './driver.js';

/** An SDK that its author starts, in a debugger for example: it is told by hand when it has ended. */
export class ByHand implements SdkRun {
  readonly isServing = true;
  readonly log = '';
  readonly #input: Interface;
  #hasEnded = false;
  #onEnd: (() => void) | undefined;

  constructor(task: DriverTask) {
    process.stdout.write(`${JSON.stringify(task)}\n`);
    process.stderr.write('Start your SDK with this. Press Enter when it has stopped.\n');
    this.#input = createInterface({ input: process.stdin });
    const onEnd = () => {
      this.#hasEnded = true;
      this.#onEnd?.();
    };
    // boundary: it cannot throw.
    this.#input.on('line', onEnd).on('close', onEnd);
  }

  get stopped(): string | undefined {
    return this.#hasEnded ? 'by hand' : undefined;
  }

  check(): void {
    // Nothing is printed that could be wrong.
  }

  async close(): Promise<void> {
    process.stderr.write('End your SDK as its user would, then press Enter.\n');
    if (!this.#hasEnded) await new Promise<void>((resolve) => (this.#onEnd = resolve));
  }

  kill(): void {
    this.#input.close();
  }
}
