/** What waits: beyond it the oldest goes. A late datagram is worth less than a fresh one. */
const maxWaitingBytes = 262_144;
const maxWaitingDatagrams = 2_048;

/** Datagrams that wait for a path that is slower than their source, bounded. */
export class DatagramQueue {
  /** Oldest first, from `#first` on: shifting an array for each would cost more than the datagram. */
  #waiting: Buffer[] = [];
  #first = 0;
  #bytes = 0;
  #dropped = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  /** How many have made room. */
  get dropped(): number {
    return this.#dropped;
  }

  add(datagram: Buffer): void {
    this.#waiting.push(datagram);
    this.#bytes += datagram.length;
    while (this.#bytes > maxWaitingBytes || this.length > maxWaitingDatagrams) {
      this.take();
      this.#dropped++;
    }
  }

  /** The oldest. */
  take(): Buffer | undefined {
    const datagram = this.#waiting[this.#first];
    if (!datagram) return undefined;
    this.#first++;
    this.#bytes -= datagram.length;
    if (this.#first >= maxWaitingDatagrams) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return datagram;
  }

  clear(): void {
    this.#waiting = [];
    this.#first = 0;
    this.#bytes = 0;
  }
}
