// What the main thread and the entry worker both read and write, without a message.

/** The counts of one lease. */
export class LeaseSlot {
  readonly #counts: Int32Array;
  /** Written by the worker alone. */
  readonly #bytes: Float64Array;

  constructor(readonly memory = new SharedArrayBuffer(40)) {
    this.#counts = new Int32Array(memory, 0, 5);
    this.#bytes = new Float64Array(memory, 24, 2);
  }

  /** Connections in the worker, those that wait for a session included. */
  get live(): number {
    return Atomics.load(this.#counts, 0);
  }
  addLive(count: number): void {
    Atomics.add(this.#counts, 0, count);
  }

  /** Idle sessions in the worker. */
  get ready(): number {
    return Atomics.load(this.#counts, 1);
  }
  addReady(count: number): void {
    Atomics.add(this.#counts, 1, count);
  }

  /** Connections of the main thread. */
  get elsewhere(): number {
    return Atomics.load(this.#counts, 2);
  }
  set elsewhere(count: number) {
    Atomics.store(this.#counts, 2, count);
  }

  /** Idle sessions of the main thread. */
  get readyElsewhere(): number {
    return Atomics.load(this.#counts, 4);
  }
  set readyElsewhere(count: number) {
    Atomics.store(this.#counts, 4, count);
  }

  /** Most connections of the lease; 0 once it takes none any more. */
  get most(): number {
    return Atomics.load(this.#counts, 3);
  }
  set most(count: number) {
    Atomics.store(this.#counts, 3, Math.min(count, 0x7fff_ffff));
  }

  /** Bytes from visitors. */
  get up(): number {
    return this.#bytes[0] as number;
  }
  addUp(bytes: number): void {
    this.#bytes[0]! += bytes;
  }

  /** Bytes to visitors. */
  get down(): number {
    return this.#bytes[1] as number;
  }
  addDown(bytes: number): void {
    this.#bytes[1]! += bytes;
  }
}

/** Which file descriptors are the worker's: what is left open when it fails is closed by the main thread. */
export class OwnedDescriptors {
  readonly #isOwned: Uint8Array;

  /** @param memory one byte for each possible number */
  constructor(readonly memory: SharedArrayBuffer) {
    this.#isOwned = new Uint8Array(memory);
  }

  /** @returns false when the number is beyond the memory */
  add(fd: number): boolean {
    if (fd >= this.#isOwned.length) return false;
    this.#isOwned[fd] = 1;
    return true;
  }

  remove(fd: number): void {
    this.#isOwned[fd] = 0;
  }

  /** All of them, which are nobody's afterwards. */
  take(): number[] {
    const all: number[] = [];
    for (let fd = this.#isOwned.indexOf(1); fd >= 0; fd = this.#isOwned.indexOf(1, fd)) {
      this.#isOwned[fd] = 0;
      all.push(fd);
    }
    return all;
  }
}

const free = 0;
const locked = 1;
/** A thread that waits looks again after this long, should it have missed the notification. */
const lookAgainMs = 1;
const headWords = 4;
/** Count, kind of the key, and its two words. */
const entryWords = 4;

/** A key of `SharedCounts`. */
type Key = readonly [kind: number, high: number, low: number];

/**
 * Counts by source address, up to a limit, over threads: a hash table with open addressing behind a mutex. A source is what
 * `sourceOf` gives: an IPv4 address, or the first half of an IPv6 address.
 */
export class SharedCounts {
  readonly #words: Int32Array;
  readonly #entries: number;

  /** @param memory of `allocate`, which all threads have in common */
  constructor(
    readonly memory: SharedArrayBuffer,
    private readonly limit: number,
  ) {
    this.#words = new Int32Array(memory);
    this.#entries = (this.#words.length - headWords) / entryWords;
  }

  /** @param sources most sources at a time */
  static allocate(sources: number, seed: number): SharedArrayBuffer {
    // Half of the entries stay empty, so that searches are short.
    const entries = 2 ** Math.ceil(Math.log2(sources * 2));
    const memory = new SharedArrayBuffer((headWords + entries * entryWords) * 4);
    // Sources are strangers' choice: without the seed they could have all searches be long.
    new Int32Array(memory)[2] = seed;
    return memory;
  }

  /** All uses. */
  get total(): number {
    return Atomics.load(this.#words, 1);
  }

  /** @returns false, without counting, when that would exceed the source's limit */
  add(source: string): boolean {
    const key = keyOf(source);
    return this.#locked(() => {
      const at = this.#find(key);
      const count = this.#words[at] as number;
      if (count >= this.limit || (count === 0 && this.#isFull())) return false;
      if (count === 0) {
        this.#words.set(key, at + 1);
        this.#words[3]! += 1;
      }
      this.#words[at] = count + 1;
      this.#words[1]! += 1;
      return true;
    });
  }

  count(source: string): number {
    const key = keyOf(source);
    return this.#locked(() => this.#words[this.#find(key)] as number);
  }

  remove(source: string): void {
    const key = keyOf(source);
    this.#locked(() => {
      const at = this.#find(key);
      const count = this.#words[at] as number;
      if (count === 0) return;
      this.#words[1]! -= 1;
      this.#words[at] = count - 1;
      if (count > 1) return;
      this.#words[3]! -= 1;
      this.#closeGap(at);
    });
  }

  #isFull(): boolean {
    return (this.#words[3] as number) >= this.#entries / 2;
  }

  #home([kind, high, low]: Key): number {
    let mixed = ((this.#words[2] as number) ^ kind) | 0;
    for (const word of [high, low]) {
      mixed = Math.imul(mixed ^ word, 0x85eb_ca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
      mixed ^= mixed >>> 16;
    }
    return (mixed >>> 0) & (this.#entries - 1);
  }

  /** @returns where the key's entry is, or the free one where it belongs */
  #find(key: Key): number {
    for (let index = this.#home(key); ; index = (index + 1) & (this.#entries - 1)) {
      const at = headWords + index * entryWords;
      if (this.#words[at] === 0 || this.#isAt(at, key)) return at;
    }
  }

  #isAt(at: number, key: Key): boolean {
    return key.every((word, index) => this.#words[at + 1 + index] === word);
  }

  /** Moves later entries up, so that searches do not stop before them. */
  #closeGap(gapAt: number): void {
    const mask = this.#entries - 1;
    let gap = (gapAt - headWords) / entryWords;
    for (let index = (gap + 1) & mask; ; index = (index + 1) & mask) {
      const at = headWords + index * entryWords;
      if (this.#words[at] === 0) return;
      const key = [...this.#words.subarray(at + 1, at + entryWords)] as unknown as Key;
      // An entry may not move before its home.
      if (((index - this.#home(key)) & mask) < ((index - gap) & mask)) continue;
      this.#words.copyWithin(headWords + gap * entryWords, at, at + entryWords);
      this.#words[at] = 0;
      gap = index;
    }
  }

  /** Nothing in it may throw or wait: the other thread would wait for ever. */
  #locked<Result>(work: () => Result): Result {
    while (Atomics.compareExchange(this.#words, 0, free, locked) !== free)
      Atomics.wait(this.#words, 0, locked, lookAgainMs);
    const result = work();
    Atomics.store(this.#words, 0, free);
    Atomics.notify(this.#words, 0, 1);
    return result;
  }
}

function keyOf(source: string): Key {
  if (source.endsWith('/64')) return [2, parseInt(source.slice(0, 8), 16) | 0, parseInt(source.slice(8, 16), 16) | 0];
  // '' is a source, too: of those whose address is unknown.
  return [1, 0, source.split('.').reduce((word, part) => (word << 8) | Number(part), 0)];
}
