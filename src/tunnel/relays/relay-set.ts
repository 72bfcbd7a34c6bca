import { EventEmitter } from 'node:events';
import type { FoundRelay } from '../../sdk/discovery/find-relays.js';
import type { CheckedRelays, ExposeOptions } from '../options/expose-options.js';
import type { CertificateLife } from '../link/keyless.js';
import { firstToEnd, RelayMember, tellOf, type MemberOptions } from './relay-member.js';
import { planRelays } from './relay-plan.js';
import { RelayScout } from './relay-scout.js';
import { NoRelayLeftError, type RelaySetEvents } from './tunnel-events.js';

export type RelaySetOptions = MemberOptions & Pick<ExposeOptions, 'allowPrivate' | 'passVisitorAddress'>;

/** The relays of one tunnel: adds, watches and replaces them, as `planRelays` decides. */
export class RelaySet extends EventEmitter<RelaySetEvents> {
  readonly #options: RelaySetOptions;
  /** In the order in which they were added. */
  readonly #members = new Map<string, { member: RelayMember; home: boolean }>();
  /** Members that are closing; a relay is not taken again before its old member is closed. */
  readonly #going = new Set<RelayMember>();
  /** Why each refused relay was left, by URL. */
  readonly #refusals = new Map<string, Error>();
  /** Signing addresses of the refused relays, if known: another URL of the same relay is not another relay. */
  readonly #refused = new Set<string>();
  #relays: CheckedRelays;
  #scout: RelayScout | undefined;
  /** Number of searches that were finished at the last refusal. */
  #looksAtRefusal = -1;
  #review: NodeJS.Timeout | undefined;
  /** More relays serve than are wanted. */
  #hasSurplus = false;
  /** It was already reported that no relay can be used. */
  #isTold = false;
  #isOver = false;
  #end!: (error?: Error) => void;
  readonly #ended = new Promise<Error | undefined>((resolve) => (this.#end = resolve));

  constructor(relays: CheckedRelays, options: RelaySetOptions) {
    super();
    this.#relays = relays;
    this.#options = options;
  }

  /** The one that ends first, of members that serve. */
  get certificateLife(): CertificateLife | undefined {
    return firstToEnd(this.#all());
  }

  get liveConnections(): number {
    return [...this.#all()].reduce((sum, { liveConnections }) => sum + liveConnections, 0);
  }

  /** Settles when every lease has been released. */
  get released(): Promise<unknown> {
    return Promise.all(this.#all().map(({ released }) => released));
  }

  /**
   * Serves until `leave`.
   * @throws the only relay's refusal, or NoRelayLeftError
   */
  async run(): Promise<void> {
    if (!this.#isOver) this.#search();
    const error = await this.#ended;
    this.leave();
    await Promise.all(this.#all().map(({ gone }) => gone));
    if (error) throw error;
  }

  /**
   * Leaves every relay. Another call can shorten the grace. @param graceMs grace for live connections, in milliseconds
   */
  leave(graceMs?: number): void {
    this.#isOver = true;
    this.#stopScout();
    clearTimeout(this.#review);
    for (const member of this.#all()) member.leave(graceMs);
    this.#end();
  }

  /** Changes the relays. Those that stay are not affected; connections through removed ones get the usual grace. */
  change(relays: CheckedRelays): void {
    if (this.#isOver) return;
    const before = new Set(this.#relays.relays.map(({ origin }) => origin));
    this.#relays = relays;
    this.#looksAtRefusal = -1;
    const named = new Set(relays.relays.map(({ origin }) => origin));
    for (const origin of named) if (!before.has(origin)) this.#refusals.delete(origin);
    for (const url of [...this.#members.keys()]) if (!named.has(url) && !relays.discovery) this.#leave(url);
    this.#stopScout();
    this.#search();
  }

  /** Starts the search if there is a choice of relays; else all named ones are used. */
  #search(): void {
    const { relays, discovery, maxRelays } = this.#relays;
    if (discovery || relays.length > maxRelays) {
      if (this.#members.size === 0) this.emit('status', { state: 'searching', message: 'looking for relays' });
      const { allowPrivate = false, ca, proxy, times } = this.#options;
      this.#scout = new RelayScout({ relays, discovery, allowPrivate, ca, proxy, times });
      this.#scout.on('looked', () => this.#plan());
      this.#scout.start();
    }
    this.#plan();
  }

  #stopScout(): void {
    this.#scout?.removeAllListeners().stop();
    this.#scout = undefined;
  }

  #plan(): void {
    clearTimeout(this.#review);
    if (this.#isOver || this.#scout?.isAny === false) return;
    const { maxRelays } = this.#relays;
    const { services, times } = this.#options;
    const known = this.#known();
    const named = new Set(this.#relays.relays.map(({ origin }) => origin));
    const now = performance.now();
    const { take, leave, reviewAt } = planRelays({
      members: [...this.#members].map(([url, { member, home }]) => ({
        url,
        named: named.has(url),
        home,
        hasServed: member.hasServed,
        isUp: member.isUp,
        since: member.since,
        liveConnections: member.liveConnections,
      })),
      known,
      barred: [...this.#barred(known), ...[...this.#going].map(({ url }) => url)],
      maxRelays,
      udp: services.udp !== undefined,
      tcp: services.tcp !== undefined,
      now,
      times,
    });
    for (const url of leave) {
      this.emit('status', { state: 'relay_left', message: `${hostOf(url)} is no longer needed`, relay: url });
      this.#leave(url);
    }
    for (const { url, named, home } of take) this.#take(url, named, home);
    this.#hasSurplus = [...this.#members.values()].filter(({ member }) => member.isUp).length > maxRelays;
    this.#watch(known);
    if (reviewAt < Infinity) {
      // A timer may fire slightly early by `performance.now()`.
      this.#review = setTimeout(() => this.#plan(), Math.ceil(reviewAt - now) + 1);
    }
    if (this.#members.size > 0) this.#isTold = false;
    else this.#giveUp(known);
  }

  /** What is known of relays: the search results, or, without a choice, only that they were named. */
  #known(): FoundRelay[] {
    if (this.#scout) return this.#scout.found;
    return this.#relays.relays.map(({ origin }) => ({ url: origin, named: true, reachable: true }));
  }

  /** Refused relays, and discovered URLs of the same relays. */
  #barred(known: FoundRelay[]): Set<string> {
    const aliases = known.filter(({ named, facts }) => !named && facts && this.#refused.has(facts.address));
    return new Set([...this.#refusals.keys(), ...aliases.map(({ url }) => url)]);
  }

  /** Health checks matter only if there is another relay to take. */
  #watch(known: FoundRelay[]): void {
    const barred = this.#barred(known);
    const hasSpare = known.some(({ url, reachable }) => reachable && !this.#members.has(url) && !barred.has(url));
    for (const { member } of this.#members.values()) member.isWatched = hasSpare || !member.isUp;
  }

  #take(url: string, named: boolean, home: boolean): void {
    const member = new RelayMember(new URL(url), named || this.#options.allowPrivate === true, this.#options);
    this.#members.set(url, { member, home });
    if (!home) {
      const message = `using ${hostOf(url)} because another relay is down`;
      this.emit('status', { state: 'spare_taken', message, relay: url });
    }
    tellOf(member, this);
    // boundary: it reports that a connection has closed.
    member.on('connection', (report) => {
      this.emit('connection', report);
      // A spare may be released with its last visitor, which is counted until this handler returns.
      if (this.#hasSurplus) setImmediate(() => this.#plan());
    });
    member.on('changed', () => {
      if (!member.isUp) {
        this.emit('down', url);
        this.#scout?.hurry();
      }
      this.#plan();
    });
    member.once('gone', (error) => this.#onGone(member, error));
  }

  #leave(url: string): void {
    const member = this.#members.get(url)?.member;
    if (!member) return;
    this.#members.delete(url);
    this.#going.add(member);
    // Ignore its further changes.
    member.removeAllListeners('changed');
    this.emit('down', url);
    member.leave();
  }

  #onGone(member: RelayMember, error: Error | undefined): void {
    this.#going.delete(member);
    if (this.#members.get(member.url)?.member === member) this.#members.delete(member.url);
    if (error) {
      this.#refusals.set(member.url, error);
      const facts = this.#known().find(({ url }) => url === member.url)?.facts;
      if (facts) this.#refused.add(facts.address);
      this.#looksAtRefusal = this.#scout?.looks ?? -1;
      this.#scout?.hurry();
      const message = `${hostOf(member.url)} is no longer used: ${error.message}`;
      if (!this.#isOver && this.#isOneOfMany) {
        this.emit('status', { state: 'relay_refused', message, relay: member.url, error });
      }
    }
    this.#plan();
  }

  get #isOneOfMany(): boolean {
    return this.#relays.discovery || this.#relays.relays.length > 1;
  }

  /** Ends when every known relay has refused and, with discovery, a search since then has found no other. */
  #giveUp(known: FoundRelay[]): void {
    const barred = this.#barred(known);
    if (this.#going.size > 0) return;
    if (known.some(({ url }) => !barred.has(url))) {
      const message = 'no known relay answers and offers the requested ports; still looking';
      if (!this.#isTold) this.emit('status', { state: 'searching', message });
      this.#isTold = true;
      return;
    }
    if (this.#relays.discovery && (this.#scout?.looks ?? 0) <= Math.max(0, this.#looksAtRefusal)) return;
    const only = this.#refusals.get(this.#relays.relays[0]!.origin);
    this.#end(this.#isOneOfMany ? new NoRelayLeftError(this.#refusals) : only);
  }

  #all(): RelayMember[] {
    return [...this.#members.values()].map(({ member }) => member).concat(...this.#going);
  }
}

function hostOf(url: string): string {
  return new URL(url).host;
}
