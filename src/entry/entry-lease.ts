import { Bandwidth } from '../util/bandwidth.js';
import type { EntrySession, SessionHost } from './entry-session.js';
import { Lane, type LaneHost } from './lane.js';
import type { EntryLeaseFacts } from './messages.js';
import { LeaseSlot } from './shared-memory.js';
import type { EntryThread, EntryVisitor, VisitorHost, WaitingVisitor } from './thread.js';

/** A lease, as far as the worker serves it: its sessions, and the visitors that wait for one. */
export class EntryLease implements VisitorHost, SessionHost, LaneHost {
  readonly slot: LeaseSlot;
  readonly #lanes = new Set<Lane>();
  readonly bandwidth: Bandwidth;
  readonly #sessions = new Set<EntrySession>();
  /** The oldest first. */
  readonly #ready = new Set<EntrySession>();
  readonly #waiting = new Set<WaitingVisitor>();
  /** Sessions that the main thread wants. */
  #wanted = 0;
  /** Sessions go to the main thread as soon as they are idle. */
  #isRecalled = false;
  #hasEnded = false;

  constructor(
    private readonly thread: EntryThread,
    readonly id: number,
    readonly facts: EntryLeaseFacts,
  ) {
    this.slot = new LeaseSlot(facts.slot);
    this.bandwidth = new Bandwidth(undefined, thread.clock);
  }

  addReady(session: EntrySession): void {
    this.#ready.add(session);
    this.slot.addReady(1);
  }

  removeReady(session: EntrySession): void {
    if (this.#ready.delete(session)) this.slot.addReady(-1);
  }

  forget(session: EntrySession): void {
    this.#sessions.delete(session);
  }

  /** Takes over a session from the main thread. */
  add(session: EntrySession): void {
    this.#sessions.add(session);
    this.#isRecalled = false;
    this.serve();
  }

  /** Whether a session that has served may wait for another visitor. */
  takesBack(session: EntrySession): boolean {
    return !this.#hasEnded && this.#sessions.has(session) && this.#ready.size < this.thread.limits.maxReady;
  }

  /** Sessions and those who wait for one meet. */
  serve(): void {
    for (const session of this.#ready) {
      const [arrival] = this.#waiting;
      if (this.#hasEnded) session.close();
      else if (this.#wanted > 0 || this.#isRecalled) {
        this.#wanted = Math.max(0, this.#wanted - 1);
        session.giveBack();
      } else if (arrival) {
        this.#waiting.delete(arrival);
        this.#join(arrival.leave(), session);
      } else return;
    }
  }

  /** @returns false when the main thread is to decide about the visitor */
  accept(arrival: WaitingVisitor): boolean {
    const { slot, thread } = this;
    const mayWait =
      this.facts.waits &&
      !this.#isRecalled &&
      slot.readyElsewhere === 0 &&
      this.#waiting.size < thread.limits.maxWaiting;
    if (this.#hasEnded || slot.live + slot.elsewhere >= slot.most) return false;
    const [session] = this.#ready;
    if (!session && !mayWait) return false;
    slot.addLive(1);
    if (session) this.#join(arrival.leave(), session);
    else {
      this.#waiting.add(arrival);
      arrival.wait(this);
    }
    return true;
  }

  /** A visitor has gone, or waits no longer here. */
  stopWaiting(arrival: WaitingVisitor): void {
    if (this.#waiting.delete(arrival)) this.#left();
  }

  #join(visitor: EntryVisitor, session: EntrySession): void {
    this.thread.count('routed');
    const lane = new Lane(this.thread, this, session, visitor);
    this.#lanes.add(lane);
    try {
      lane.start();
    } catch (error) {
      lane.reset();
      throw error;
    }
  }

  /** A connection is over. */
  remove(lane: Lane): void {
    if (this.#lanes.delete(lane)) this.#left();
  }

  #left(): void {
    this.slot.addLive(-1);
    if (this.#hasEnded && this.slot.live === 0) this.thread.post({ type: 'idle', lease: this.id });
  }

  /** Takes the binding of a connection. @returns its ClientHello */
  takeBinding(binding: Buffer): Buffer | undefined {
    for (const lane of this.#lanes) if (lane.binding.equals(binding)) return lane.spendBinding();
    return undefined;
  }

  want(): void {
    this.#wanted = Math.min(this.#wanted + 1, this.#sessions.size);
    this.serve();
  }

  recall(): void {
    this.#isRecalled = true;
    for (const arrival of this.#waiting) arrival.handOver();
    this.serve();
  }

  /** Takes no visitor any more. Connections go on. */
  end(): void {
    this.#hasEnded = true;
    for (const arrival of this.#waiting) arrival.handOver();
    this.serve();
    if (this.slot.live === 0) this.thread.post({ type: 'idle', lease: this.id });
  }

  cut(isReset: boolean): void {
    for (const lane of this.#lanes)
      if (isReset) lane.reset();
      else lane.destroy();
  }
}
