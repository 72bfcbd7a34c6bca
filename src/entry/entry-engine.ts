import { Socket } from 'node:net';
import { randomInt } from 'node:crypto';
import { FileDescriptor } from '../kernel/file-descriptor.js';
import type { Libc } from '../kernel/libc.js';
import { KernelThread, type LoopStart } from '../kernel/kernel-thread.js';
import { sealedFirst } from '../unwrap/unwrap.js';
import { UnwrappedSession } from '../unwrap/unwrapped-session.js';
import { report } from '../util/boundary.js';
import { fileDescriptors } from '../util/open-files.js';
import {
  type EntryLeaseFacts,
  type EntryLimits,
  type EntryOutcome,
  type EntryStart,
  type FromEntry,
  packed,
  packedKeys,
  type ToEntry,
  unpackedKeys,
} from './messages.js';
import { LeaseSlot, OwnedDescriptors, SharedCounts } from './shared-memory.js';

/** After the worker has failed, another is started after this long. */
const restartAfterMs = 5_000;
/** Highest file descriptor of the worker, where the limit of open files is higher. */
const mostDescriptors = 1_048_576;
const mostSeed = 2 ** 31;

/** A signing message of a tunnel, and what it is about. */
export interface EntrySigning {
  message: Buffer;
  /** Undefined when the binding is spent or too old. */
  clientHello: Buffer | undefined;
}

export interface EntryEvents {
  /** A connection that the worker does not serve, from its first byte on: it is paused. */
  onVisitor(socket: Socket): void;
  /** The connection of a session that was returned. */
  onReturned(socket: Socket): void;
  onOutcome(outcome: EntryOutcome): void;
  /** The worker takes sessions now. */
  onReady(): void;
  /** The worker has failed, and with it this many sessions. @param listening the listening socket, if the worker had it */
  onFailed(error: Error, sessions: number, listening: number | undefined): void;
}

/** A session that the worker holds. */
interface LentSession {
  readonly lease: EntryLease;
  readonly from: string;
  onReturned(session: UnwrappedSession): void;
  onGone(): void;
  sign(signing: EntrySigning): Buffer;
}

/** What a session is lent with. */
export type Lending = Omit<LentSession, 'lease'> & { withAddresses: boolean };

/** Accepts public connections in a worker thread, and joins them to the sessions that it has. A worker starts when it is first needed. */
export class EntryEngine {
  #worker: EntryThreadHandle | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isStopped = false;
  readonly #onExit = (): void => this.#worker?.leave();
  #nextLease = 1;

  constructor(
    private readonly libc: Libc,
    private readonly limits: EntryLimits,
    private readonly balancers: string[],
    private readonly events: EntryEvents,
  ) {
    process.on('exit', this.#onExit);
  }

  /** Whether there is a worker that takes sessions. When there is none, one is started, for later. */
  get isReady(): boolean {
    if (!this.#worker && !this.#restart) this.#start();
    return this.#worker?.isReady === true;
  }

  /** Public connections of the worker. */
  get connections(): number {
    return this.#worker?.sources.total ?? 0;
  }

  /** Counts by source that the worker has in common with the main thread; undefined without a worker. */
  get sources(): SharedCounts | undefined {
    return this.#worker?.sources;
  }

  /** @returns undefined when there is no worker */
  open(facts: Omit<EntryLeaseFacts, 'slot'>, onIdle: () => void): EntryLease | undefined {
    const worker = this.#worker;
    if (!worker?.isReady) return undefined;
    return new EntryLease(worker, this.#nextLease++, facts, onIdle);
  }

  /** Has the worker accept the connections of a listening socket. @param fd is duplicated */
  listen(fd: number, keepAliveMs: number): void {
    const own = this.libc.duplicate(fd);
    this.libc.prepareListener(own, keepAliveMs);
    this.#worker?.listen(own);
  }

  /** Ends that. @returns the listening socket, if the worker had it */
  async unlisten(): Promise<number | undefined> {
    return await this.#worker?.unlisten();
  }

  /** Ends the worker, and all that it has. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#restart);
    await this.#worker?.stop();
    this.#worker = undefined;
    process.off('exit', this.#onExit);
  }

  #start(): void {
    clearTimeout(this.#restart);
    this.#restart = undefined;
    if (this.#isStopped) return;
    const failed: EntryEvents['onFailed'] = (...failure) => {
      this.#worker = undefined;
      // boundary: what it starts reports its own failure.
      this.#restart = setTimeout(() => this.#start(), restartAfterMs).unref();
      this.events.onFailed(...failure);
    };
    try {
      this.#worker = new EntryThreadHandle(this.libc, this.limits, this.balancers, {
        ...this.events,
        onFailed: failed,
      });
    } catch (error) {
      failed(error as Error, 0, undefined);
    }
  }
}

/** A lease whose visitors the worker serves. */
export class EntryLease {
  readonly slot = new LeaseSlot();
  readonly #sessions = new Set<number>();

  /** @internal */
  constructor(
    private readonly worker: EntryThreadHandle,
    private readonly id: number,
    facts: Omit<EntryLeaseFacts, 'slot'>,
    readonly onIdle: () => void,
  ) {
    worker.addLease(id, this);
    worker.send({ type: 'lease', id, lease: { ...facts, slot: this.slot.memory } });
  }

  /** False once the worker has failed. */
  get isThere(): boolean {
    return !this.worker.hasExited;
  }

  /** Gives a session to the worker. */
  lend({ fd, keys }: NonNullable<ReturnType<UnwrappedSession['detach']>>, lending: Lending): void {
    const id = this.worker.addSession({ ...lending, lease: this });
    this.#sessions.add(id);
    const { withAddresses } = lending;
    this.worker.send({ type: 'session', id, lease: this.id, fd, keys: packedKeys(keys), withAddresses });
  }

  /** @internal It is not the worker's any more. */
  remove(id: number): void {
    this.#sessions.delete(id);
  }

  /** Takes the next idle session back. */
  want(): void {
    this.worker.send({ type: 'want', lease: this.id });
  }

  /** Takes all sessions back as soon as they are idle, until another one is lent. */
  recall(): void {
    this.worker.send({ type: 'recall', lease: this.id });
  }

  /** Takes the binding of one of its connections. @returns the ClientHello; undefined when it is unknown or spent */
  async takeBinding(binding: Buffer): Promise<Buffer | undefined> {
    return await this.worker.takeBinding(this.id, binding);
  }

  /** Bandwidth of its connections. */
  limit(bytesPerSecond: number | undefined): void {
    this.worker.send({ type: 'limit', lease: this.id, bytesPerSecond });
  }

  /** Takes no visitor any more, and closes its idle sessions. Connections go on. */
  end(): void {
    this.slot.most = 0;
    this.worker.send({ type: 'end', lease: this.id });
  }

  /** Ends all connections; by a reset, together with their sessions. */
  cut(isReset: boolean): void {
    this.worker.send({ type: 'cut', lease: this.id, isReset });
  }

  /** Ends the sessions of some tunnels, by a reset. */
  cutFrom(isHit: (ip: string) => boolean): void {
    const sessions = [...this.#sessions].filter((id) => isHit(this.worker.sessionOf(id)?.from ?? ''));
    if (sessions.length > 0) this.worker.send({ type: 'drop', sessions });
  }
}

/** The main thread's side of the worker. */
class EntryThreadHandle {
  readonly sources: SharedCounts;
  readonly #owned: OwnedDescriptors;
  readonly #thread: KernelThread<ToEntry, FromEntry>;
  readonly #sessions = new Map<number, LentSession>();
  readonly #leases = new Map<number, EntryLease>();
  #nextSession = 1;
  /** Bindings that were asked for. */
  readonly #questions = new Map<number, (clientHello: Buffer | undefined) => void>();
  #nextQuestion = 1;
  #listening: FileDescriptor | undefined;
  #unlistened: ((fd: number | undefined) => void) | undefined;
  isReady = false;

  /** @throws KernelError such as EMFILE; Node's error when the thread cannot be made */
  constructor(
    private readonly libc: Libc,
    limits: EntryLimits,
    balancers: string[],
    private readonly events: EntryEvents,
  ) {
    const sources = SharedCounts.allocate(limits.maxConnections, randomInt(mostSeed));
    this.sources = new SharedCounts(sources, limits.maxConnectionsPerSource);
    this.#owned = new OwnedDescriptors(new SharedArrayBuffer(Math.min(fileDescriptors().limit, mostDescriptors)));
    const extra: Omit<EntryStart, keyof LoopStart> = { limits, balancers, sources, owned: this.#owned.memory };
    const module = new URL('entry-worker.js', import.meta.url);
    this.#thread = new KernelThread(libc, module, 'entry worker message', extra, {
      onMessage: (message: FromEntry) => this.#receive(message),
      onFault: () => undefined,
      onExit: (error) => this.#fail(error),
    });
  }

  get hasExited(): boolean {
    return this.#thread.hasExited;
  }

  addLease(id: number, lease: EntryLease): void {
    this.#leases.set(id, lease);
  }

  addSession(session: LentSession): number {
    const id = this.#nextSession++;
    this.#sessions.set(id, session);
    return id;
  }

  sessionOf(id: number): LentSession | undefined {
    return this.#sessions.get(id);
  }

  send(message: ToEntry): void {
    if (!this.#thread.send(message) && message.type === 'session') this.libc.close(message.fd);
  }

  /** @param fd this object's from here on */
  listen(fd: number): void {
    this.#listening = new FileDescriptor(this.libc, fd);
    this.send({ type: 'listen', fd });
  }

  async unlisten(): Promise<number | undefined> {
    if (!this.#listening || this.hasExited) return undefined;
    const unlistened = new Promise<number | undefined>((resolve) => (this.#unlistened = resolve));
    this.send({ type: 'unlisten' });
    return await unlistened;
  }

  async takeBinding(lease: number, binding: Buffer): Promise<Buffer | undefined> {
    if (this.hasExited) return undefined;
    const question = this.#nextQuestion++;
    const taken = new Promise<Buffer | undefined>((resolve) => this.#questions.set(question, resolve));
    this.send({ type: 'binding', question, lease, binding: packed(binding) });
    return await taken;
  }

  leave(): void {
    this.isReady = false;
    this.send({ type: 'stop' });
  }

  async stop(): Promise<void> {
    if (this.hasExited) return;
    this.isReady = false;
    await this.#thread.stop({ type: 'stop' });
    const { listening } = this.#close();
    if (listening !== undefined) this.libc.close(listening);
  }

  #receive(message: FromEntry): void {
    switch (message.type) {
      case 'ready':
        this.isReady = true;
        return this.events.onReady();
      case 'visitor':
        return this.events.onVisitor(this.#socket(message.fd, Buffer.from(message.early)));
      case 'report':
        for (const [outcome, count] of message.outcomes)
          for (let left = count; left > 0; left--) this.events.onOutcome(outcome);
        return;
      case 'returned': {
        const lent = this.#take(message.session);
        const socket = this.#socket(message.fd);
        this.events.onReturned(socket);
        const session = new UnwrappedSession(socket, unpackedKeys(message.keys), sealedFirst.relay);
        session.on('error', ignore);
        if (lent) lent.onReturned(session);
        else session.destroy();
        return lent?.onGone();
      }
      case 'gone':
        return this.#take(message.session)?.onGone();
      case 'sign':
        return this.#sign(message);
      case 'binding': {
        const { question, clientHello } = message;
        this.#questions.get(question)?.(clientHello && Buffer.from(clientHello));
        this.#questions.delete(question);
        return;
      }
      case 'idle': {
        const lease = this.#leases.get(message.lease);
        this.#leases.delete(message.lease);
        return lease?.onIdle();
      }
      case 'unlistened':
        return void this.#endListening();
      case 'fault':
        return report('entry connection', message.error);
    }
  }

  #sign({ session: id, claim, message, clientHello }: FromEntry & { type: 'sign' }): void {
    const lent = this.#sessions.get(id);
    const signing = { message: Buffer.from(message), clientHello: clientHello && Buffer.from(clientHello) };
    if (lent) this.send({ type: 'signed', session: id, claim, message: packed(lent.sign(signing)) });
  }

  #take(id: number): LentSession | undefined {
    const lent = this.#sessions.get(id);
    this.#sessions.delete(id);
    lent?.lease.remove(id);
    return lent;
  }

  /** @returns the listening socket, unless someone else waits for it */
  #endListening(): number | undefined {
    const fd = this.#listening?.release();
    const told = this.#unlistened;
    this.#listening = this.#unlistened = undefined;
    told?.(fd);
    return told ? undefined : fd;
  }

  /** A connection from the worker. */
  #socket(fd: number, early?: Buffer): Socket {
    this.#owned.remove(fd);
    const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
    socket.pause();
    if (early && early.length > 0) socket.unshift(early);
    return socket;
  }

  /** The thread is gone: nobody uses its file descriptors any more. */
  #fail(error: Error): void {
    const { lent, listening } = this.#close();
    for (const { onGone } of lent) onGone();
    this.events.onFailed(error, lent.length, listening);
  }

  #close(): { lent: LentSession[]; listening: number | undefined } {
    this.isReady = false;
    const listening = this.#endListening();
    for (const answer of this.#questions.values()) answer(undefined);
    this.#questions.clear();
    const lent = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const fd of this.#owned.take()) this.libc.close(fd);
    for (const lease of this.#leases.values()) lease.onIdle();
    this.#leases.clear();
    return { lent, listening };
  }
}

function ignore(): void {}
