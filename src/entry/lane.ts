import { randomFillSync } from 'node:crypto';
import { epoll, errno } from '../kernel/libc.js';
import { Pump, type PumpOrder, type PumpResult } from '../kernel/pump.js';
import { frameHeader, type FrameMark, frameMark, signingHeader } from '../protocol/frames.js';
import { bindingBytes, encodeOpening } from '../protocol/session-opening.js';
import { FrameError, FrameReader } from '../streams/frame-reader.js';
import { recordHeaderLength } from '../tls/codec/constants.js';
import { openRecord, recordLength } from '../unwrap/session-records.js';
import type { Bandwidth, Paced } from '../util/bandwidth.js';
import { endpointOf } from './arrival.js';
import type { EntrySession, Served } from './entry-session.js';
import { packed } from './messages.js';
import type { LeaseSlot } from './shared-memory.js';
import type { EntryThread, EntryVisitor, Runnable, Watched } from './thread.js';

const none: Buffer = Buffer.alloc(0);
/** A frame in the clear begins with this byte: its length is 1 MiB at most. */
const clearFrame = 0x00;
const readable = epoll.IN | epoll.RDHUP | epoll.HUP | epoll.ERR;
const hungUp = epoll.RDHUP | epoll.HUP | epoll.ERR;
/** A binding is good for so long. */
const bindingTtlMs = 30_000;
/** Bytes of one turn of a connection whose lease has a bandwidth. */
const pacedTurnBytes = 65_536;

/** A supply of random bindings: one call for many of them. */
const bindings = Buffer.alloc(256 * bindingBytes);
let bindingsUsed = bindings.length;
function freshBinding(): Buffer {
  if (bindingsUsed === bindings.length) {
    randomFillSync(bindings);
    bindingsUsed = 0;
  }
  return Buffer.from(bindings.subarray(bindingsUsed, (bindingsUsed += bindingBytes)));
}

/** The lease of a connection. */
export interface LaneHost {
  readonly id: number;
  readonly slot: LeaseSlot;
  readonly bandwidth: Bandwidth;
  /** The connection is over. */
  remove(lane: Lane): void;
}

/** One direction, which waits when its lease has spent its bandwidth. */
class Direction implements Paced {
  pump: Pump | undefined;
  isHeld = false;
  /** There is more to do without waiting. */
  isBusy = false;

  constructor(private readonly lane: Lane) {}

  resume(): void {
    this.isHeld = false;
    this.isBusy = true;
    this.lane.soon();
  }
}

/**
 * One connection of a visitor in a session (docs/protocol.md, Recycled sessions and Unwrapped sessions): two pumps, and what is
 * between their frames. As `FramedChannel`, `UnwrappedSession` and `splice` do it with streams.
 */
export class Lane implements Watched, Served, Runnable {
  readonly #fd: number;
  #token: number | undefined;
  /** To the session, and to the visitor. */
  readonly #up = new Direction(this);
  readonly #down = new Direction(this);
  readonly #share;
  readonly #claim: number;
  readonly #frames: FrameReader;
  readonly #since: number;
  readonly binding = freshBinding();
  /** Until the binding is spent. */
  #clientHello: Buffer | undefined;
  /** What the session has sent that is no frame in the clear: a part of a record. The down pump does not run then. */
  #record = none;
  /** Content of frames that came in records. */
  #content: Buffer[] = [];
  #hasSent = false;
  #hasReceived = false;
  /** The tunnel closes the session afterwards. */
  #isLast = false;
  /** The visitor's file descriptor is closed. */
  #isVisitorGone = false;
  #isOver = false;

  constructor(
    private readonly thread: EntryThread,
    private readonly lease: LaneHost,
    private readonly session: EntrySession,
    private readonly visitor: EntryVisitor,
  ) {
    this.#fd = visitor.fd;
    this.#token = visitor.token;
    this.#clientHello = visitor.clientHello;
    this.#since = thread.now;
    this.#share = lease.bandwidth.join();
    session.claim(this);
    this.#claim = session.claims;
    this.#frames = new FrameReader(
      {
        content: (bytes) => void this.#content.push(bytes),
        signing: (message) => this.#sign(message),
        mark: (mark, rest) => this.#received(mark, rest),
      },
      true,
    );
  }

  get token(): number {
    return this.#token ?? 0;
  }

  /** Sends the opening and the visitor's first bytes, in one call. */
  start(): void {
    const { thread, session, visitor } = this;
    const opening = encodeOpening({
      kind: 'tenantTls',
      binding: this.binding,
      addresses: session.withAddresses ? this.#addresses() : undefined,
      withAddresses: session.withAddresses,
    });
    const { early } = visitor;
    visitor.early = none;
    const first = Buffer.concat([session.sealControl(opening), session.sealFrames(early)!]);
    this.lease.slot.addUp(early.length);
    if (this.#token === undefined) this.#token = thread.watch(this, this.#fd);
    else thread.rewatch(this);
    const up = this.#pumpUp();
    up.sendFirst(first);
    this.#pumpDown(none, none);
    this.#run(this.#up);
  }

  #addresses() {
    const { passedOn, peer, fd } = this.visitor;
    return passedOn ?? { source: peer, destination: endpointOf(this.thread.libc.localEnd(fd)) };
  }

  // Events

  /** Of the visitor. */
  onEvents(events: number): void {
    if ((events & hungUp) !== 0) this.#up.pump?.hangUp();
    if ((events & readable) !== 0) this.#run(this.#up);
    if ((events & (epoll.OUT | hungUp)) !== 0 && this.#down.pump?.isBlocked) this.#run(this.#down);
    // Nothing is read of it any more that would tell.
    if ((events & (epoll.HUP | epoll.ERR)) !== 0 && this.#hasSent) this.#visitorGone();
  }

  onSessionEvents(events: number): void {
    if ((events & hungUp) !== 0) this.#down.pump?.hangUp();
    if ((events & readable) !== 0) this.#run(this.#down);
    if ((events & (epoll.OUT | hungUp)) !== 0 && this.#up.pump?.isBlocked) this.#run(this.#up);
  }

  soon(): void {
    this.thread.soon(this);
  }

  /** What was left to do in the last round. */
  runBusy(): void {
    for (const direction of [this.#up, this.#down]) if (direction.isBusy) this.#run(direction);
  }

  #run(direction: Direction): void {
    if (this.#isOver || direction.isHeld) return;
    direction.isBusy = false;
    if (!direction.pump) {
      if (direction === this.#down) this.#readRecord();
      return;
    }
    const { pump } = direction;
    const { bandwidth, slot } = this.lease;
    const isPaced = bandwidth.limit !== undefined;
    const hasMore = isPaced ? pump.run(pacedTurnBytes) : pump.run();
    const { moved } = pump;
    pump.moved = 0;
    if (direction === this.#up) slot.addUp(moved);
    else slot.addDown(moved);
    if (pump.result) direction.pump = undefined;
    if (hasMore) direction.isBusy = true;
    if (isPaced && moved > 0 && !bandwidth.spend(this.#share, direction, moved)) direction.isHeld = true;
    if (pump.result) {
      if (direction === this.#up) this.#upStopped(pump);
      else this.#downStopped(pump);
    } else if (hasMore && !direction.isHeld) this.soon();
  }

  // To the session

  #pumpUp(): Pump {
    const { session } = this;
    const pump = new Pump(this.thread.tools, this.#order(this.#fd, session.fd, 'frame'), {
      seal: (bytes) => session.sealFrames(bytes),
      last: () => session.sealEnd(false),
    });
    this.#up.pump = pump;
    return pump;
  }

  #order(from: number, to: number, codec: PumpOrder['codec']): PumpOrder {
    return { from, to, codec, left: 0, owner: this.lease.id };
  }

  #upStopped({ result, hasEnded }: Pump): void {
    const side = result?.fault?.side;
    if (side === 'to') return this.#lost();
    if (side === 'from') return this.#visitorGone();
    this.#hasSent = true;
    if (hasEnded && this.session.isWorn) this.#isLast = true;
    this.#settleIfDone();
  }

  /** Closes this direction by a cut mark, after what was taken of the visitor's bytes. */
  #cut(): void {
    if (this.#hasSent || this.#isOver) return;
    const pump = this.#up.pump ?? this.#pumpUp();
    this.#up.isHeld = false;
    pump.inject(this.session.sealEnd(true));
    pump.end();
    this.#run(this.#up);
  }

  // To the visitor

  /** @param first content that goes out before all else. @param fed what was read of the session's frames in the clear */
  #pumpDown(first: Buffer, fed: Buffer, left = 0): Pump {
    const order = { ...this.#order(this.session.fd, this.#fd, 'deframe'), left };
    const pump = new Pump(this.thread.tools, order);
    if (first.length > 0) pump.sendFirst(first);
    if (fed.length > 0) pump.feed(fed);
    if (this.#isVisitorGone) pump.discard();
    this.#down.pump = pump;
    return pump;
  }

  #downStopped({ result, hasEnded }: Pump): void {
    const side = result?.fault?.side;
    if (side === 'from') return this.#lost();
    if (side === 'to') return this.#visitorBroke(result!);
    if (this.#hasReceived) return this.#downDone();
    const { left, unread } = result!;
    // The pump has stopped at a frame in the clear only if its length is not allowed.
    if (left > 0 || hasEnded || unread[0] === clearFrame) return this.#lost();
    this.#takeRecord(Buffer.from(unread));
    // The rest of a record may be there already, and no event follows for it.
    if (!this.#down.pump && !this.#isOver) this.#readRecord();
  }

  /** What the session still sends for the visitor goes nowhere, from where the pump has stopped. */
  #visitorBroke({ left, unread }: PumpResult): void {
    if (!this.#hasReceived) this.#pumpDown(none, Buffer.from(unread), left);
    this.#visitorGone();
  }

  /** All that the tunnel has sent is with the visitor, and that was all. */
  #downDone(): void {
    if (!this.#isVisitorGone) this.thread.libc.endWrites(this.#fd);
    this.#settleIfDone();
  }

  // Records: all of the session's bytes that are no frame in the clear

  #readRecord(): void {
    const { libc, scratch } = this.thread;
    while (!this.#isOver && !this.#down.pump) {
      const count = libc.receive(this.session.fd, scratch);
      if (count === -errno.EAGAIN) return;
      // Nothing may come after the tunnel's mark, before both directions are closed.
      if (count <= 0 || this.#hasReceived) return this.#lost();
      this.#takeRecord(scratch.subarray(0, count));
    }
  }

  #takeRecord(bytes: Buffer): void {
    let all: Buffer = Buffer.concat([this.#record, bytes]);
    this.#record = none;
    try {
      while (!this.#isOver && !this.#hasReceived && all.length > 0 && all[0] !== clearFrame) {
        const length = all.length < recordHeaderLength ? Infinity : recordLength(all);
        if (all.length < length) {
          this.#record = all;
          return;
        }
        this.#frames.push(openRecord(this.session.opener, all.subarray(0, length)).content);
        all = all.subarray(length);
      }
      if (this.#isOver) return;
      if (this.#hasReceived ? all.length > 0 : !this.#frames.isQuiet || this.#frames.left > 0)
        throw new FrameError('a frame in a record goes on in the clear, or after its end');
    } catch {
      return this.#lost();
    }
    this.#pass(all);
  }

  /** Back to frames in the clear. */
  #pass(fed: Buffer): void {
    const first = Buffer.concat(this.#content);
    this.#content = [];
    this.lease.slot.addDown(first.length);
    if (this.#hasReceived && first.length === 0) return this.#downDone();
    const pump = this.#pumpDown(first, fed);
    if (this.#hasReceived) pump.end();
    this.#down.isBusy = true;
    this.soon();
  }

  #received(mark: FrameMark, rest: Buffer): void {
    if (rest.length > 0) throw new FrameError('bytes after the end of a connection');
    this.#hasReceived = true;
    if (mark === frameMark.last) this.#isLast = true;
    if (mark === frameMark.cut) this.#visitorGone();
  }

  // A signature

  /** @returns the ClientHello, the first time, and not too late */
  spendBinding(): Buffer | undefined {
    const clientHello = this.#clientHello;
    this.#clientHello = undefined;
    const isFresh = this.thread.now - this.#since < bindingTtlMs && !this.#isVisitorGone;
    return isFresh ? clientHello : undefined;
  }

  #sign(message: Buffer): void {
    if (this.#isVisitorGone) return;
    const clientHello = this.spendBinding();
    const { session, thread } = this;
    thread.post({
      type: 'sign',
      session: session.id,
      claim: this.#claim,
      message: packed(message),
      clientHello: clientHello && packed(clientHello),
    });
  }

  /** The relay's signing message has come. */
  signed(message: Buffer): void {
    const { pump } = this.#up;
    if (this.#isOver || this.#hasSent || !pump) return;
    const whole = Buffer.concat([frameHeader(signingHeader), frameHeader(message.length), message]);
    pump.inject(this.session.sealSigning(whole));
    this.#run(this.#up);
  }

  // Ends

  /** The visitor's connection is broken, or is to be: the tunnel learns it by a cut mark. */
  #visitorGone(): void {
    if (this.#isOver || this.#isVisitorGone) return;
    this.#closeVisitor();
    this.#down.isHeld = false;
    this.#down.pump?.discard();
    this.#cut();
    if (this.#isOver) return;
    this.thread.settling.set(this, this.thread.now);
    if (this.#hasReceived) return this.#settleIfDone();
    this.#down.isBusy = true;
    this.soon();
  }

  #closeVisitor(): void {
    if (this.#isVisitorGone) return;
    this.#isVisitorGone = true;
    this.thread.sources.remove(this.visitor.source);
    this.thread.drop(this, this.#fd);
  }

  /** The session is broken, or its tunnel breaks the rules. */
  #lost(): void {
    if (this.#isOver) return;
    this.#over();
    this.session.close();
  }

  #settleIfDone(): void {
    const isDownDone = this.#hasReceived && (!this.#down.pump || this.#isVisitorGone);
    if (this.#isOver || !this.#hasSent || !isDownDone) return;
    this.#over();
    this.session.release(this.#isLast);
  }

  #over(): void {
    this.#isOver = true;
    this.#closeVisitor();
    for (const { pump } of [this.#up, this.#down]) pump?.drop();
    this.thread.settling.clear(this);
    this.lease.bandwidth.leave(this.#share);
    this.lease.remove(this);
  }

  /** The tunnel has not closed its direction in time. */
  expire(): void {
    this.#lost();
  }

  /** Ends the visitor's connection. */
  destroy(): void {
    this.#visitorGone();
  }

  /** Ends both sides at once: what was sent and has not arrived is dropped. */
  reset(): void {
    if (this.#isOver) return;
    if (!this.#isVisitorGone) this.thread.libc.resetOnClose(this.#fd);
    this.#lost();
  }
}
