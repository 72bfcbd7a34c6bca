import { setMaxListeners } from 'node:events';
import { ApiError } from '../../contract/errors.js';
import { Backoff } from '../../sdk/lease/backoff.js';
import { networkBackoff } from '../../sdk/lease/backoff.js';
import { retryDecision } from '../../sdk/lease/retry-policy.js';
import { FramedChannel } from '../../streams/framed-channel.js';
import type { OpenedSession } from '../carriers/carrier.js';
import { awaitOpening, type ClaimedSession } from './read-opening.js';
import { SessionSigning } from './session-signing.js';
import { guard, repeat } from '../../util/boundary.js';
import { failureMemoryMs } from '../carriers/carrier.js';

/** Least and most idle sessions. The most is the size of the relay's ready queue for a lease. */
const minReadySessions = 2;
const maxReadySessions = 8;
/** Most concurrent dials while connections are waiting for sessions. */
const maxParallelDials = 32;
/** A session claimed this soon after it was opened had a connection waiting for it. */
const promptClaimMs = 100;
/** Without a connection for this long the pool halves, and again after each interval. */
const poolIdleMs = 60_000;
const poolShrinkIntervalMs = 30_000;

export interface SessionPoolOptions {
  /** Opens one session. */
  dial(signal: AbortSignal): Promise<OpenedSession>;
  onClaim(claim: ClaimedSession): void;
  /** Whether another connection can be served. Call `fill` when there is room again. */
  hasRoom(): boolean;
  /** A session was opened: the relay has accepted the token. */
  onReady(): void;
  /** The relay refused, and retrying will not help. The pool opens no more sessions. */
  onRefused(error: Error): void;
  /** Opening failed or sessions were lost; the next attempt is in `delayMs`. */
  onWaiting(error: Error, delayMs: number): void;
}

/**
 * Keeps a pool of idle reverse sessions at the relay, so that a connection need not wait for one to be opened. The
 * size adapts: it doubles when connections come faster than sessions are opened, and halves when there are none.
 */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff(networkBackoff);
  /** Idle sessions, oldest first, each with its AbortController. */
  readonly #ready = new Set<AbortController>();
  #dialing = 0;
  #wanted = minReadySessions;
  /** Sessions to open beyond `#wanted`, for connections that are already waiting. */
  #extra = 0;
  /** After a failure, only one session is dialled at a time. */
  #trying = false;
  #lastClaimAt = performance.now();
  #lastFailureAt = -Infinity;
  #blockedUntil = 0;
  /** Until then, sessions that become free are closed. */
  #pausedUntil = 0;
  #queueWasFull = false;
  #unblock: NodeJS.Timeout | undefined;
  #shrink: NodeJS.Timeout | undefined;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stop.signal);
  }

  get ready(): number {
    return this.#ready.size;
  }

  start(): void {
    this.#shrink = repeat('session pool check', () => this.#shrinkWhenIdle(), poolShrinkIntervalMs);
    this.fill();
  }

  /** Opens no more sessions and closes the idle ones. Claimed sessions no longer belong to the pool. */
  stop(): void {
    clearInterval(this.#shrink);
    clearTimeout(this.#unblock);
    this.#stop.abort(new Error('the pool was stopped'));
    for (const session of this.#ready) session.abort(this.#stop.signal.reason);
  }

  /** Closes the idle sessions, and opens new ones after a while. */
  pause(ms: number): void {
    if (this.#stop.signal.aborted) return;
    this.#pausedUntil = performance.now() + ms;
    for (const session of this.#ready) session.abort(new Error('paused'));
    this.#block(ms);
  }

  /** Opens sessions up to the wanted number. */
  fill(): void {
    if (this.#stop.signal.aborted || performance.now() < this.#blockedUntil || !this.#options.hasRoom()) return;
    const parallel = this.#trying ? 1 : maxParallelDials;
    while (this.#ready.size + this.#dialing < this.#wanted + this.#extra && this.#dialing < parallel)
      this.#openGuarded();
  }

  readonly #openGuarded = guard('session dial', () => this.#open());

  readonly #claimAgain = guard(
    'session claim',
    (opened: OpenedSession) => this.#claimOf(opened, false),
    ({ stream }) => stream.destroy(),
  );

  async #open(): Promise<void> {
    this.#dialing++;
    let opened: OpenedSession;
    try {
      opened = await this.#options.dial(this.#stop.signal);
    } catch (error) {
      this.#dialing--;
      this.#onDialFailed(error as Error);
      return;
    }
    this.#dialing--;
    if (this.#isPaused) {
      opened.stream.destroy();
      return;
    }
    this.#trying = false;
    const claimed = this.#claimOf(opened, true);
    this.#options.onReady();
    this.fill();
    await claimed;
  }

  /** Waits for the next connection of a session. */
  async #claimOf(opened: OpenedSession, isFirst: boolean): Promise<void> {
    const { stream, recycles, signs, isBare } = opened;
    const session = new AbortController();
    const openedAt = performance.now();
    this.#ready.add(session);
    try {
      const claim = await awaitOpening(stream, session.signal, isBare);
      this.#ready.delete(session);
      if (recycles) {
        const onOver = (isFree: boolean) => {
          if (!isFree) return;
          if (this.#isPaused) stream.destroy();
          else this.#claimAgain(opened);
        };
        const signing = signs && claim.binding ? new SessionSigning() : undefined;
        const channel = new FramedChannel(stream, onOver, signing?.onMessage);
        signing?.attach(channel);
        this.#options.onClaim({ ...claim, stream: channel, signing });
      } else this.#options.onClaim(claim);
      this.#onClaimed(performance.now() - openedAt);
    } catch (error) {
      this.#ready.delete(session);
      if (session.signal.aborted) return;
      // A relay may have enough sessions when one is recycled; opening a new one shows whether it accepts more.
      if (isFirst) this.#onFailure(error as Error, 0);
      else this.fill();
    }
  }

  /** Whether it takes no connections now, or never again. */
  get #isPaused(): boolean {
    return this.#stop.signal.aborted || performance.now() < this.#pausedUntil;
  }

  #onClaimed(waitedMs: number): void {
    this.#lastClaimAt = performance.now();
    this.#backoff.reset();
    // The last idle session was claimed at once: more connections may be waiting at the relay.
    const short = this.#ready.size === 0 && waitedMs < promptClaimMs;
    this.#extra = short ? Math.min(Math.max(this.#extra * 2, minReadySessions), maxParallelDials) : 0;
    if (this.#ready.size < this.#wanted / 2) this.#wanted = Math.min(this.#wanted * 2, maxReadySessions);
    // The queue was full; now there is room in it.
    if (this.#queueWasFull && !this.#isPaused) this.#block(0);
    this.fill();
  }

  #onDialFailed(error: Error): void {
    if (this.#stop.signal.aborted) return;
    const reaction = retryDecision(error, 'connect', true);
    if (reaction.do !== 'wait') {
      this.stop();
      this.#options.onRefused(error);
      return;
    }
    const queueFull = error instanceof ApiError && error.code === 'rate_limited' && this.#ready.size > 0;
    if (queueFull) {
      this.#extra = 0;
      this.#wanted = Math.max(minReadySessions, Math.min(this.#wanted, this.#ready.size));
      this.#block(reaction.atLeastMs);
      this.#queueWasFull = true;
      return;
    }
    this.#onFailure(error, reaction.atLeastMs);
  }

  #onFailure(error: Error, atLeastMs: number): void {
    // Sessions fail together; together they count as one failure.
    if (this.#stop.signal.aborted || performance.now() < this.#blockedUntil) return;
    if (performance.now() - this.#lastFailureAt > failureMemoryMs) this.#backoff.reset();
    const delayMs = atLeastMs + Math.max(this.#backoff.next(), (Math.random() * atLeastMs) / 4);
    this.#trying = true;
    this.#extra = 0;
    this.#lastFailureAt = performance.now();
    this.#block(delayMs);
    this.#options.onWaiting(error, delayMs);
  }

  #block(ms: number): void {
    this.#queueWasFull = false;
    this.#blockedUntil = performance.now() + ms;
    clearTimeout(this.#unblock);
    // A timer may fire slightly early by `performance.now()`.
    this.#unblock = setTimeout(() => this.fill(), Math.ceil(ms) + 1);
  }

  #shrinkWhenIdle(): void {
    if (performance.now() - this.#lastClaimAt < poolIdleMs) return;
    this.#wanted = Math.max(minReadySessions, Math.floor(this.#wanted / 2));
    const surplus = [...this.#ready].slice(0, Math.max(this.#ready.size - this.#wanted, 0));
    for (const session of surplus) session.abort(new Error('not needed any more'));
  }
}
