import { epoll, errno, type SocketEnd } from '../kernel/libc.js';
import { ipOfBytes } from '../net/ip-address.js';
import { sourceOf } from '../net/source-network.js';
import { type Endpoint, parseProxyHeader, type ProxiedAddresses } from '../protocol/proxy-protocol.js';
import type { ClientHello } from '../tls/codec/messages.js';
import { ClientHelloReader } from '../tls/records/client-hello-reader.js';
import { type EntryOutcome, packed } from './messages.js';
import type { EntryThread, EntryVisitor, VisitorHost, WaitingVisitor, Watched } from './thread.js';

const maxClientHelloBytes = 16_384;
const tls13 = 0x0304;
/** ALPN of the challenge `tls-alpn-01` (RFC 8737). */
const acmeProtocol = 'acme-tls/1';
const none: Buffer = Buffer.alloc(0);

/** A public connection until it is known where it goes. What is not served here goes to the main thread, with all its bytes. */
export class Arrival implements Watched, WaitingVisitor {
  #token: number | undefined;
  readonly #peer: Endpoint;
  #source = '';
  #isCounted = false;
  #isAwaited = false;
  #release: (() => void) | undefined;
  /** Bytes of a PROXY header so far, and all of it once it is known where it ends. */
  #header: Buffer | undefined;
  #passedOn: ProxiedAddresses | undefined;
  readonly #reader = new ClientHelloReader(maxClientHelloBytes);
  #hello: ClientHello | undefined;
  #waitsFor: VisitorHost | undefined;
  #isOver = false;
  /** All that it has sent. */
  readonly #bytes: Buffer[] = [];

  constructor(
    private readonly thread: EntryThread,
    private readonly fd: number,
    peer: SocketEnd | undefined,
  ) {
    this.#peer = endpointOf(peer);
  }

  get token(): number {
    return this.#token ?? 0;
  }

  /** Takes it as far as its bytes allow. */
  start(): void {
    const { address } = this.#peer;
    if (this.thread.isBalancer(address)) {
      this.#header = none;
      this.#source = sourceOf(address);
    } else if (!this.#admit(address)) return;
    this.#read();
    if (!this.#isOver && !this.#waitsFor) this.#await();
  }

  /** Counts it for its source. */
  #admit(address: string): boolean {
    const { sources, limits } = this.thread;
    this.#source = sourceOf(address);
    if (sources.total < limits.maxConnections && sources.add(this.#source)) {
      this.#isCounted = true;
      return true;
    }
    this.#close('over_limit');
    return false;
  }

  /** Its first bytes do not come at once: it takes a place among those that are awaited. */
  #await(): void {
    const { thread } = this;
    this.#token ??= thread.watch(this, this.fd);
    this.#release = thread.awaited.take(this.#source, () => this.#close('too_many_pending'));
    if (this.#header) return thread.headers.set(this, thread.now);
    this.#awaitHello();
  }

  #awaitHello(): void {
    const { thread } = this;
    if (!thread.awaitedOf.add(this.#source)) return this.#close('too_many_pending');
    this.#isAwaited = true;
    thread.hellos.set(this, thread.now);
  }

  onEvents(events: number): void {
    if (this.#waitsFor) {
      if ((events & (epoll.HUP | epoll.ERR)) !== 0) this.reset();
    } else if ((events & (epoll.IN | epoll.RDHUP | epoll.HUP | epoll.ERR)) !== 0) this.#read();
  }

  #read(): void {
    const { libc, scratch } = this.thread;
    while (!this.#isOver && !this.#hello) {
      const count = libc.receive(this.fd, scratch);
      if (count === -errno.EAGAIN) return;
      if (count <= 0) return this.expire();
      this.#take(Buffer.from(scratch.subarray(0, count)));
    }
  }

  #take(bytes: Buffer): void {
    this.#bytes.push(bytes);
    try {
      const rest = this.#header ? this.#takeHeader(this.#header, bytes) : bytes;
      if (this.#isOver || rest.length === 0) return;
      this.#hello = this.#reader.push(rest);
    } catch {
      // The main thread comes to the same, and answers as it sees fit.
      return this.handOver();
    }
    if (this.#hello) this.#route(this.#hello);
  }

  /** @returns what follows the PROXY header */
  #takeHeader(before: Buffer, bytes: Buffer): Buffer {
    if (this.#isCounted) return bytes;
    const all = before.length === 0 ? bytes : Buffer.concat([before, bytes]);
    this.#header = all;
    const header = parseProxyHeader(all, 'v1 or v2');
    if (!header) return none;
    this.#header = all.subarray(0, header.length);
    this.#passedOn = header.addresses;
    this.#leaveAwaited();
    const { thread } = this;
    if (!this.#admit(header.addresses?.source.address ?? this.#peer.address)) return none;
    if (this.#token !== undefined) {
      this.#release = thread.awaited.take(this.#source, () => this.#close('too_many_pending'));
      this.#awaitHello();
    }
    return all.subarray(header.length);
  }

  #route({ serverName, supportedVersions, alpn }: ClientHello): void {
    this.#leaveAwaited();
    const lease = serverName === undefined ? undefined : this.thread.leaseAt(serverName.toLowerCase());
    const isServed =
      lease !== undefined &&
      supportedVersions.includes(tls13) &&
      // Whoever passes this challenge gets a certificate for the name.
      (lease.facts.takesAcme || !alpn?.includes(acmeProtocol)) &&
      lease.accept(this);
    if (!isServed) this.handOver();
  }

  /** It waits for a session. */
  wait(lease: VisitorHost): void {
    this.#waitsFor = lease;
    this.#token ??= this.thread.watch(this, this.fd);
    this.thread.waits.set(this, this.thread.now);
  }

  /** It goes to a session. */
  leave(): EntryVisitor {
    this.#isOver = true;
    this.#stopWaiting();
    return {
      fd: this.fd,
      token: this.#token,
      source: this.#source,
      passedOn: this.#passedOn,
      peer: this.#peer,
      early: this.#reader.buffered(),
      clientHello: this.#hello!.raw,
    };
  }

  /** The main thread serves it, from its first byte on. */
  handOver(): void {
    if (this.#isOver) return;
    this.#end();
    if (this.#token !== undefined) this.thread.unwatch(this, this.fd);
    this.thread.post({ type: 'visitor', fd: this.fd, early: packed(Buffer.concat(this.#bytes)) });
  }

  /** Its time is over. */
  expire(): void {
    if (this.#waitsFor) this.handOver();
    else this.#close(this.#header && !this.#isCounted ? 'no_proxy_header' : 'no_client_hello');
  }

  reset(): void {
    this.#close(undefined);
  }

  #close(outcome: EntryOutcome | undefined): void {
    if (this.#isOver) return;
    this.#end();
    if (outcome) this.thread.count(outcome);
    this.thread.drop(this.#token === undefined ? undefined : this, this.fd);
  }

  #end(): void {
    this.#isOver = true;
    this.#leaveAwaited();
    this.#stopWaiting();
    this.#waitsFor?.stopWaiting(this);
    if (this.#isCounted) this.thread.sources.remove(this.#source);
    this.#isCounted = false;
  }

  #leaveAwaited(): void {
    this.#release?.();
    this.#release = undefined;
    this.thread.headers.clear(this);
    this.thread.hellos.clear(this);
    if (this.#isAwaited) this.thread.awaitedOf.remove(this.#source);
    this.#isAwaited = false;
  }

  #stopWaiting(): void {
    this.thread.waits.clear(this);
  }
}

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');

export function endpointOf(end: SocketEnd | undefined): Endpoint {
  if (!end) return { address: '', port: 0 };
  const isMapped = end.bytes.length === 16 && end.bytes.subarray(0, 12).equals(mappedPrefix);
  const bytes = isMapped ? end.bytes.subarray(12) : end.bytes;
  return { address: bytes.length === 4 ? bytes.join('.') : ipOfBytes(bytes), port: end.port };
}
