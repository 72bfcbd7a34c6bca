import { EventEmitter } from 'node:events';
import type { FoundRelay } from '../../sdk/discovery/find-relays.js';
import { background } from '../../util/boundary.js';
import type { CheckedRelays } from '../options/expose-options.js';
import type { CertificateLife } from '../link/keyless.js';
import { firstToEnd, RelayMember, tellOf, type MemberOptions } from './relay-member.js';
import { RelayScout } from './relay-scout.js';
import type { RelaySetOptions } from './relay-set.js';
import { NoRelayLeftError, type RelaySetEvents } from './tunnel-events.js';
import { choosePath } from './choose-path.js';
import { RelayPath } from '../paths/relay-path.js';

/** How long a relay that did not answer on a path is not chosen again. */
const barredMs = 300_000;

/** The relays of a path that were named, or how many are to be chosen. */
export type Hops = readonly URL[] | number;

interface Current {
  readonly relays: readonly string[];
  readonly member: RelayMember;
}

/** The path of one tunnel: keeps it, and where it may choose, takes another when a relay of it is gone. */
export class PathSet extends EventEmitter<RelaySetEvents> {
  readonly #options: RelaySetOptions;
  readonly #hops: Hops;
  #relays: CheckedRelays;
  #current: Current | undefined;
  /** A path is being made: its identities are derived. */
  #isMaking = false;
  readonly #going = new Set<RelayMember>();
  /** Until when, by `performance.now()`. */
  readonly #barred = new Map<string, number>();
  readonly #strikes = new Map<string, number>();
  readonly #refusals = new Map<string, Error>();
  #scout: RelayScout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #lastEntry: string | undefined;
  #isTold = false;
  #isOver = false;
  readonly #over = new AbortController();
  #end!: (error?: Error) => void;
  readonly #ended = new Promise<Error | undefined>((resolve) => (this.#end = resolve));

  constructor(relays: CheckedRelays, hops: Hops, options: RelaySetOptions) {
    super();
    this.#relays = relays;
    this.#hops = hops;
    this.#options = options;
  }

  /** The one that ends first, of members that serve. */
  get certificateLife(): CertificateLife | undefined {
    return firstToEnd(this.#all());
  }

  get liveConnections(): number {
    return this.#all().reduce((sum, { liveConnections }) => sum + liveConnections, 0);
  }

  /** Settles when every lease of an entry has been released. */
  get released(): Promise<unknown> {
    return Promise.all(this.#all().map(({ released }) => released));
  }

  /** Serves until `leave`. @throws the refusal of a named path, or NoRelayLeftError */
  async run(): Promise<void> {
    if (!this.#isOver) this.#begin();
    const error = await this.#ended;
    this.leave();
    await Promise.all(this.#all().map(({ gone }) => gone));
    if (error) throw error;
  }

  /** Leaves the path. @param graceMs grace for live connections, in milliseconds */
  leave(graceMs?: number): void {
    this.#isOver = true;
    this.#over.abort(new Error('the tunnel closes'));
    this.#stopScout();
    clearTimeout(this.#patience);
    for (const member of this.#all()) member.leave(graceMs);
    this.#end();
  }

  /** Changes where other relays are looked for. A path that serves stays. */
  change(relays: CheckedRelays): void {
    if (this.#isOver) return;
    this.#relays = relays;
    if (typeof this.#hops !== 'number') return;
    this.#stopScout();
    this.#search();
  }

  #begin(): void {
    if (typeof this.#hops === 'number') {
      this.emit('status', { state: 'searching', message: `looking for ${this.#hops} relays with an overlay` });
      this.#search();
    } else {
      this.#take(this.#hops.map(({ origin }) => origin));
    }
  }

  #search(): void {
    const { relays } = this.#relays;
    const { allowPrivate = false, ca, proxy, times } = this.#options;
    this.#scout = new RelayScout({ relays, discovery: true, allowPrivate, ca, proxy, times });
    this.#scout.on('looked', () => this.#choose());
    this.#scout.start();
  }

  #stopScout(): void {
    this.#scout?.removeAllListeners().stop();
    this.#scout = undefined;
  }

  /** Chooses a path, if there is none. */
  #choose(): void {
    if (this.#isOver || this.#current || this.#isMaking || typeof this.#hops !== 'number') return;
    const now = performance.now();
    for (const [url, until] of this.#barred) if (until <= now) this.#barred.delete(url);
    const found = this.#found();
    const barred = new Set([...this.#barred.keys(), ...this.#refusals.keys()]);
    const wishes = { length: this.#hops, entry: this.#lastEntry, barred, strikes: this.#strikes };
    const path = choosePath(found, wishes);
    if (path) return this.#take(path);
    const usable = found.filter(({ facts, reachable }) => reachable && facts?.overlay).length;
    if (this.#refusals.size > 0 && usable <= this.#refusals.size && (this.#scout?.looks ?? 0) > 1)
      return this.#end(new NoRelayLeftError(this.#refusals));
    const message = `a path of ${this.#hops} needs as many relays with an overlay, on different networks: ${usable} are known, still looking`;
    if (!this.#isTold) this.emit('status', { state: 'searching', message });
    this.#isTold = true;
    this.#scout?.hurry();
  }

  #found(): FoundRelay[] {
    return this.#scout?.found ?? [];
  }

  #take(relays: readonly string[]): void {
    this.#isMaking = true;
    this.#isTold = false;
    background('relay path', async () => {
      try {
        const member = await this.#make(relays);
        if (this.#isOver) return member.leave(0);
        this.#use({ relays, member });
      } catch (error) {
        // The identity does not sign.
        this.#end(error as Error);
      } finally {
        this.#isMaking = false;
      }
    });
  }

  async #make(relays: readonly string[]): Promise<RelayMember> {
    const { identity, name, ttl, sessionWait, ca, secureContext, proxy, passVisitorAddress } = this.#options;
    const named = new Set(this.#relays.relays.map(({ origin }) => origin));
    const isTrusted = typeof this.#hops !== 'number' || relays.every((url) => named.has(url));
    const path = await RelayPath.create({
      relays: relays.map((url) => new URL(url)),
      dialing: RelayMember.dialing({ ca, secureContext, proxy }, isTrusted || this.#options.allowPrivate === true),
      identity,
      name,
      ttl,
      sessionWait,
      passVisitorAddress,
    });
    const options: MemberOptions = { ...this.#options, path };
    return new RelayMember(new URL(relays[0]!), isTrusted, options);
  }

  #use(current: Current): void {
    const { relays, member } = current;
    this.#current = current;
    const [was, entry] = [this.#lastEntry, relays[0]!];
    this.#lastEntry = entry;
    const hosts = relays.map((url) => new URL(url).host).join(', ');
    const moved = was !== undefined && was !== entry ? `; the public URL changes with it` : '';
    this.emit('status', { state: 'path', message: `the path is ${hosts}${moved}`, relay: entry });
    member.isWatched = true;
    tellOf(member, this);
    // boundary: it reports that a connection has closed.
    member.on('connection', (report) => this.emit('connection', report));
    member.on('changed', () => {
      if (!member.isUp) this.emit('down', member.url);
      this.#look();
    });
    member.once('gone', (error) => this.#onGone(current, error));
    this.#look();
  }

  /** A path that may be another is given up when it does not serve for a while. */
  #look(): void {
    const current = this.#current;
    clearTimeout(this.#patience);
    if (typeof this.#hops !== 'number' || !current || current.member.isUp) return;
    const { lossPatienceMs, joinPatienceMs } = this.#options.times;
    const patienceMs = current.member.hasServed ? lossPatienceMs : 2 * joinPatienceMs;
    this.#scout?.hurry();
    this.#patience = setTimeout(() => background('relay path', () => this.#replace(current)), patienceMs);
  }

  async #replace(current: Current): Promise<void> {
    const { member, relays } = current;
    const silent = await member.silentRelay(this.#over.signal);
    if (this.#isOver || this.#current !== current || member.isUp) return;
    if (silent) this.#barred.set(silent.origin, performance.now() + barredMs);
    for (const url of relays) this.#strikes.set(url, (this.#strikes.get(url) ?? 0) + 1);
    const what = silent ? `${silent.host} no longer answers` : 'it does not serve';
    const message = `the path through ${relays.map((url) => new URL(url).host).join(', ')} is given up: ${what}`;
    this.emit('status', { state: 'relay_left', message, relay: member.url });
    this.#drop(current);
    this.#choose();
  }

  #drop({ member }: Current): void {
    this.#current = undefined;
    this.#going.add(member);
    member.removeAllListeners('changed');
    this.emit('down', member.url);
    member.leave();
  }

  #onGone(current: Current, error: Error | undefined): void {
    this.#going.delete(current.member);
    if (this.#current !== current) return;
    this.#current = undefined;
    this.emit('down', current.member.url);
    if (typeof this.#hops !== 'number') return this.#end(error);
    if (error) {
      const relay = current.member.refusedBy ?? current.member.url;
      this.#refusals.set(relay, error);
      const message = `${new URL(relay).host} is no longer used: ${error.message}`;
      if (!this.#isOver) this.emit('status', { state: 'relay_refused', message, relay, error });
    }
    this.#choose();
  }

  #all(): RelayMember[] {
    return [...(this.#current ? [this.#current.member] : []), ...this.#going];
  }
}
