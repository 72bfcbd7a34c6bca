/** The names for which this node has tunnels, and who is told of them. */
export class OwnPresence {
  readonly #names = new Set<string>();
  readonly #told = new Set<(name: string, isPresent: boolean) => void>();

  set(name: string, isPresent: boolean): void {
    if (this.#names.has(name) === isPresent) return;
    if (isPresent) this.#names.add(name);
    else this.#names.delete(name);
    for (const tell of this.#told) tell(name, isPresent);
  }

  /** Tells all names, then each change. @returns ends it */
  follow(tell: (name: string, isPresent: boolean) => void): () => void {
    for (const name of this.#names) tell(name, true);
    this.#told.add(tell);
    return () => this.#told.delete(tell);
  }
}
