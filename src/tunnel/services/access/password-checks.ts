import { Worker } from 'node:worker_threads';
import { guard } from '../../../util/boundary.js';

/** Hashes take tenths of a second: more than this many at a time only make each other slow. */
const maxWaiting = 64;
const maxWaitingOfSource = 4;

interface Check {
  source: string;
  settle: (isRight: boolean | undefined) => void;
}

/** Compares passwords with bcrypt hashes in one thread, which is started for the first one. */
export class PasswordChecks {
  #worker: Worker | undefined;
  #waiting = new Map<number, Check>();
  #next = 0;

  /** @returns undefined when too many wait, of this source or of all, or when the thread has failed */
  async compare(password: string, hash: string, source: string): Promise<boolean | undefined> {
    const ofSource = [...this.#waiting.values()].filter((check) => check.source === source).length;
    if (this.#waiting.size >= maxWaiting || ofSource >= maxWaitingOfSource) return undefined;
    const id = this.#next++;
    return await new Promise((resolve) => {
      this.#waiting.set(id, { source, settle: resolve });
      this.#started().postMessage({ id, password, hash });
    });
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./password-worker.js', import.meta.url), { name: 'passwords' });
    worker.on(
      'message',
      guard('password check', ({ id, isRight }: { id: number; isRight: boolean }) => {
        this.#waiting.get(id)?.settle(isRight);
        this.#waiting.delete(id);
      }),
    );
    // boundary: cannot throw.
    worker.on('error', () => undefined);
    // boundary: cannot throw.
    worker.once('exit', () => {
      this.#worker = undefined;
      for (const { settle } of this.#waiting.values()) settle(undefined);
      this.#waiting.clear();
    });
    // After the listeners, which keep the process alive.
    worker.unref();
    this.#worker = worker;
    return worker;
  }
}
