import type { EntryLease, EntrySigning } from '../../entry/entry-engine.js';
import { KernelError } from '../../kernel/libc.js';
import type { Lease } from '../leases/lease.js';
import type { ReverseSession } from './reverse-session.js';
import type { Traffic } from './traffic.js';

/** After a visitor that only the main thread can serve, sessions stay there for this long. */
const keepMs = 10_000;

/** The entry worker, as the sessions of a lease see it. */
export interface SessionLender {
  /** @returns undefined when there is no worker now */
  open(lease: Lease, onIdle: () => void): EntryLease | undefined;
  /** @throws KernelError, such as EMFILE */
  duplicate(fd: number): number;
  /** Answers a signing message. @param tunnelIp address of the session's tunnel */
  sign(lease: Lease, tunnelIp: string, signing: EntrySigning): Buffer;
  /** Most connections of a lease at this node. */
  maxConnections(lease: Lease): number;
}

export interface LentSessionsEvents {
  /** A session has gone to the worker (1), or is not there any more (-1). */
  onCount(change: number): void;
  /** No connection lives in the worker, after `end`. */
  onIdle(): void;
}

/** The sessions of a lease that the entry worker has, where they serve visitors without the main thread. */
export class LentSessions {
  #entry: EntryLease | undefined;
  /** Bytes of workers that have failed. */
  readonly #past: Traffic = { up: 0, down: 0 };
  #keptUntil = 0;
  /** Connections and ready sessions of the main thread. */
  #ownLive = 0;
  #ownReady = 0;
  #hasEnded = false;

  constructor(
    private readonly lender: SessionLender | undefined,
    private readonly lease: Lease,
    private readonly events: LentSessionsEvents,
  ) {}

  get ready(): number {
    return this.#there?.slot.ready ?? 0;
  }

  /** Connections in the worker, those that wait for a session included. */
  get live(): number {
    return this.#there?.slot.live ?? 0;
  }

  get traffic(): Traffic {
    const slot = this.#entry?.slot;
    return { up: this.#past.up + (slot?.up ?? 0), down: this.#past.down + (slot?.down ?? 0) };
  }

  get #there(): EntryLease | undefined {
    return this.#entry?.isThere ? this.#entry : undefined;
  }

  /** @returns whether the worker has the session now; `later` when it could have it once its last bytes are sent */
  offer(session: ReverseSession): boolean | 'later' {
    const { lender, lease } = this;
    const { unwrap, sign } = session.options;
    const isOffered =
      lender && unwrap && sign && !lease.group && !this.#hasEnded && performance.now() >= this.#keptUntil;
    if (!isOffered) return false;
    const entry = this.#open(lender);
    const detached = entry && detach(session, lender);
    if (!detached) return entry !== undefined && 'later';
    this.events.onCount(1);
    const { from } = session;
    entry.lend(detached, {
      from,
      withAddresses: session.options.proxy,
      onReturned: (stream) => session.reopen(stream),
      onGone: () => this.events.onCount(-1),
      sign: (signing) => lender.sign(lease, from, signing),
    });
    return true;
  }

  #open(lender: SessionLender): EntryLease | undefined {
    const there = this.#there;
    if (there) return there;
    Object.assign(this.#past, this.traffic);
    this.#entry = lender.open(this.lease, () => this.events.onIdle());
    this.update(this.#ownLive, this.#ownReady);
    return this.#entry;
  }

  /** @param live connections of the main thread, which count for the limit as well. @param ready its ready sessions */
  update(live: number, ready: number): void {
    this.#ownLive = live;
    this.#ownReady = ready;
    if (!this.#entry || !this.lender || this.#hasEnded) return;
    const { slot } = this.#entry;
    slot.elsewhere = live;
    slot.readyElsewhere = ready;
    slot.most = this.lender.maxConnections(this.lease);
  }

  /** @see LeaseSessions.takeBinding */
  async takeBinding(binding: Buffer): Promise<Buffer | undefined> {
    return await this.#there?.takeBinding(binding);
  }

  /** A visitor waits for a session in the main thread. */
  want(): void {
    this.#there?.want();
  }

  /** Visitors come that only the main thread can serve: sessions stay there for a while. */
  keep(): void {
    const isKept = performance.now() < this.#keptUntil;
    this.#keptUntil = performance.now() + keepMs;
    if (!isKept) this.#there?.recall();
  }

  /** A bandwidth is set: the main thread's are for it. Connections of the worker go on, within that bandwidth. */
  limit(bytesPerSecond: number | undefined): void {
    const there = this.#there;
    there?.limit(bytesPerSecond);
    if (bytesPerSecond !== undefined) there?.recall();
  }

  /** Takes no visitor any more. Connections go on. */
  end(): void {
    this.#hasEnded = true;
    this.#there?.end();
  }

  cut(isReset: boolean): void {
    this.#there?.cut(isReset);
  }

  cutFrom(isHit: (ip: string) => boolean): void {
    this.#there?.cutFrom(isHit);
  }
}

function detach(session: ReverseSession, lender: SessionLender) {
  try {
    return session.detach((fd) => lender.duplicate(fd));
  } catch (error) {
    // EMFILE, for example: the session stays.
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
