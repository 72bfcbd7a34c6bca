/** Bounds of the queue: beyond them the oldest datagram is dropped, since a late one is worth less than a new one. */
const maxWaitingBytes = 262_144;
const maxWaitingDatagrams = 2_048;

/** A bounded queue of datagrams for a path that is slower than their source. */
export class DatagramQueue {
  /** Oldest first, from index `#first`: shifting the array for each would cost more than the datagram itself. */
  #waiting: Buffer[] = [];
  #first = 0;
  #bytes = 0;
  #dropped = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  /** Number of dropped datagrams. */
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

  /** Removes and returns the oldest datagram. */
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
