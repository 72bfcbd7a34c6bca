/**
 * A mutex: tasks run one after the other, in the order of the calls. A task that fails does not stop the next ones.
 */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs a task once all earlier ones are done. @returns its result @throws what it throws */
  async run<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return await result;
  }
}

/** A mutex for each key. A key uses no memory while no task runs or waits for it. */
export class KeyedMutex {
  readonly #byKey = new Map<string, { mutex: Mutex; tasks: number }>();

  /** Runs a task once all earlier ones of this key are done. */
  async run<Result>(key: string, task: () => Result | Promise<Result>): Promise<Result> {
    const entry = this.#byKey.get(key) ?? { mutex: new Mutex(), tasks: 0 };
    this.#byKey.set(key, entry);
    entry.tasks++;
    try {
      return await entry.mutex.run(task);
    } finally {
      if (--entry.tasks === 0) this.#byKey.delete(key);
    }
  }
}
