import { FairSlots } from '../../util/fair-slots.js';
import type { ChallengeRecord } from './store.js';

/** Most open challenges; past it the oldest of the source with the most is evicted. */
const maxOpenChallenges = 20_000;
const maxOpenChallengeBytes = 33_554_432;

interface Open {
  challenge: ChallengeRecord;
  bytes: number;
  release(): void;
}

/**
 * Open challenges, in memory: anybody can request one, and they live for minutes. Bounded in number and bytes. Past a
 * bound the oldest of the source with the most is evicted, so that busy sources cannot keep others out.
 */
export class OpenChallenges {
  /** Oldest first. */
  readonly #open = new Map<string, Open>();
  readonly #slots: FairSlots;
  #bytes = 0;

  constructor(
    limit = maxOpenChallenges,
    private readonly maxBytes = maxOpenChallengeBytes,
  ) {
    this.#slots = new FairSlots(limit);
  }

  get size(): number {
    return this.#open.size;
  }

  put(challenge: ChallengeRecord, now: number): void {
    for (const [id, { challenge: oldest }] of this.#open) {
      if (oldest.expiresAt > now) break;
      this.#drop(id);
    }
    // Two bytes a character, at most.
    const bytes = 2 * (challenge.id.length + challenge.message.length + challenge.request.length);
    while (this.#bytes + bytes > this.maxBytes && this.#slots.evict());
    const release = this.#slots.take(challenge.source, () => this.#drop(challenge.id));
    this.#open.set(challenge.id, { challenge, bytes, release });
    this.#bytes += bytes;
  }

  /** Removes and returns a challenge, unless it is unknown, spent, evicted or expired. */
  take(id: string, now: number): ChallengeRecord | undefined {
    const open = this.#drop(id);
    return open && open.challenge.expiresAt > now ? open.challenge : undefined;
  }

  #drop(id: string): Open | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    this.#open.delete(id);
    this.#bytes -= open.bytes;
    open.release();
    return open;
  }
}
