import { EventEmitter } from 'node:events';
import { isApiError } from '../../contract/errors.js';
import type { components } from '../../contract/operations.js';
import { Backoff } from './backoff.js';
import type { PortalClient } from '../calls/client.js';
import { callTimeoutMs } from '../calls/caller.js';
import { networkBackoff } from './backoff.js';
import { AnswerError } from '../calls/errors.js';
import { checksumAddress, type Identity } from '../identity/identity.js';
import { retryDecision, type LeaseCall, type RetryDecision } from './retry-policy.js';
import { checkSignInMessage } from '../identity/sign-in.js';
import { sleep } from './sleep.js';
import { withoutUndefined } from '../../util/without-undefined.js';

/** Share of its lifetime after which a lease is renewed, less up to `renewJitterShare`. */
const renewShare = 0.5;
const renewJitterShare = 0.1;
/**
 * Longest renewal interval: a replaced certificate signs for ten minutes, and its successor is fetched at each
 * renewal.
 */
const maxRenewIntervalMs = 240_000;
const minRenewIntervalMs = 200;
/** Shorter or longer lifetimes are clamped to these. */
const minLeaseMs = 1_000;
const maxLeaseMs = 86_400_000;
/** The wait after a token that was granted and then refused. */
const refusalBackoff = { firstMs: 1_000, longestMs: 60_000 };
/** Longest wait after a response that asks to retry without Retry-After. */
const answerBackoffLongestMs = 60_000;
/** Deadline of the final unregistration. */
const unregisterTimeoutMs = 3_000;

export type Metadata = components['schemas']['Metadata'];

/** One registration, from its grant to its last renewal. The token changes with each renewal. */
export interface Registration {
  readonly hostname: string;
  /** `https://hostname[:port]` */
  readonly url: string;
  /** Public `host:port` of each requested transport. */
  readonly tcpAddress?: string | undefined;
  readonly udpAddress?: string | undefined;
  /** How many consecutive UDP ports there are, from that of `udpAddress`. */
  readonly udpCount: number;
  accessToken: string;
  /** Lifetime of the grant, from `grantedAt`, a reading of `Date.now()`. */
  lifetimeMs: number;
  grantedAt: number;
  /** The same time by the monotonic clock, since the system clock may be set. */
  grantedAtTick: number;
}

export interface LeaseKeeperOptions {
  client: PortalClient;
  identity: Identity;
  /** One DNS label in lower case, or a domain of the identity's own. */
  name: string;
  metadata?: Metadata | undefined;
  /** Requested lifetime in seconds; by default the relay's. */
  ttl?: number | undefined;
  /** Requested public ports besides the name. */
  ports?: { tcp?: boolean; udp?: boolean };
  /** The very ports that are wanted; by default any. */
  portNumbers?: { tcp?: number | undefined; udp?: number | undefined };
  /** So many UDP ports with consecutive numbers, or none; 1 by default. */
  udpCount?: number | undefined;
  /** Share the lease with the other tunnels of the identity that name the same group, instead of replacing it. */
  group?: string | undefined;
  /** How many seconds visitors wait while no reverse session is ready, 0 to 60; by default the relay's. */
  sessionWait?: number | undefined;
  /** TLS of the name ends with a certificate of the tunnel's own: the relay signs nothing for it. */
  ownCertificate?: boolean | undefined;
  /** The lease's place in a path of relays, asked for at each registration. What it throws counts as the relay's refusal. */
  hop?: ((signal: AbortSignal) => Promise<components['schemas']['Hop']>) | undefined;
  /** A statement that the relay's sign-in message may have, asked after `prepare`. */
  signInStatement?: (() => string | undefined) | undefined;
  /** Whether the lease is useful with only these ports, when the relay has turned the others off. */
  isEnough?(ports: WantedPorts): boolean;
  /** Checks before each registration whether the relay can serve at all; must succeed. */
  prepare?(signal: AbortSignal): Promise<void>;
}

export interface WantedPorts {
  tcp: boolean;
  udp: boolean;
}

export interface LeaseEvents {
  registered: [registration: Registration];
  renewed: [registration: Registration];
  /** How long the relay took to answer a call, in milliseconds. */
  latency: [ms: number];
  /** The registration is lost; a new one is requested. */
  lost: [registration: Registration, error: Error];
  /** The relay no longer offers a port that it had granted: the next registration omits it. */
  without: [protocol: keyof WantedPorts, error: Error];
  /** A call failed and will be retried. */
  waiting: [call: LeaseCall, error: Error, delayMs: number];
}

/**
 * Keeps a lease: registers, renews early, registers again when the lease is lost, retries when that can help, and
 * ends when nothing can.
 */
export class LeaseKeeper extends EventEmitter<LeaseEvents> {
  readonly #options: LeaseKeeperOptions;
  readonly #networkBackoff = new Backoff(networkBackoff);
  readonly #refusalBackoff = new Backoff(refusalBackoff);
  #answerFailures = 0;
  #current: Registration | undefined;
  #hasServed = false;
  /** Registrations since a token was last accepted. */
  #unproven = 0;
  #refusedOnce = false;
  #refusal: { call: LeaseCall; error: Error } | undefined;
  #wake = new AbortController();
  /** Ports of the next registration. */
  #ports: WantedPorts;

  constructor(options: LeaseKeeperOptions) {
    super();
    this.#options = options;
    this.#ports = wantedPorts(options);
  }

  get current(): Registration | undefined {
    return this.#current;
  }

  /**
   * Runs until the signal is aborted; the lease remains registered then.
   * @throws the fatal error: ApiError, NetworkError, AnswerError, SigningRefusedError
   */
  async run(signal: AbortSignal): Promise<void> {
    const wakeOnAbort = () => this.#wake.abort();
    signal.addEventListener('abort', wakeOnAbort);
    try {
      while (!signal.aborted) {
        const call = this.#refusal?.call ?? (this.#current === undefined ? 'register' : 'renew');
        try {
          await this.#step(signal);
          await this.#sleep(renewDelayMs(this.#current!), signal);
        } catch (error) {
          if (signal.aborted) return;
          await this.#recover(call, error as Error, signal);
        }
      }
    } finally {
      signal.removeEventListener('abort', wakeOnAbort);
    }
  }

  /** Reports that a token was refused elsewhere. Does nothing if that registration is no longer current. */
  refused(registration: Registration, call: LeaseCall, error: Error): void {
    if (registration !== this.#current || this.#refusal !== undefined) return;
    this.#refusal = { call, error };
    this.#wake.abort();
  }

  /** Reports that a token was accepted elsewhere. */
  accepted(registration: Registration): void {
    if (registration === this.#current) this.#prove();
  }

  /** Renews at once: `renewed`, `lost`, or the end of `run` reports the result. */
  renewNow(): void {
    this.#wake.abort();
  }

  /** Unregisters the lease, if any. Best effort, since it would expire by itself. */
  async unregister(): Promise<void> {
    const registration = this.#current;
    this.#current = undefined;
    if (registration === undefined) return;
    await this.#options.client
      .unregisterLease(registration.accessToken, { timeoutMs: unregisterTimeoutMs })
      .catch(() => undefined);
  }

  async #step(signal: AbortSignal): Promise<void> {
    if (this.#refusal !== undefined) {
      const { error } = this.#refusal;
      this.#refusal = undefined;
      throw error;
    }
    if (this.#current === undefined) {
      const registration = await this.#register(signal);
      signal.throwIfAborted();
      this.#current = registration;
      this.#hasServed = true;
      // After a loss, all ports are requested again.
      this.#ports = wantedPorts(this.#options);
      this.#unproven++;
      this.#forgetFailures();
      this.emit('registered', registration);
    } else {
      await this.#renew(this.#current, signal);
      this.#prove();
      this.#forgetFailures();
      this.emit('renewed', this.#current);
    }
  }

  async #register(signal: AbortSignal): Promise<Registration> {
    const { client, identity, name, metadata, ttl, portNumbers = {}, group, ownCertificate, prepare } = this.#options;
    const { udpCount = 1, sessionWait, hop } = this.#options;
    const ports = this.#ports;
    await prepare?.(signal);
    const address = checksumAddress(identity.address);
    const askedAt = performance.now();
    const challenge = await client.createRegisterChallenge(
      withoutUndefined({
        identity: { name, address },
        metadata,
        ttl,
        tcp_enabled: ports.tcp,
        udp_enabled: ports.udp,
        tcp_port: ports.tcp ? portNumbers.tcp : undefined,
        udp_port: ports.udp ? portNumbers.udp : undefined,
        udp_count: ports.udp && udpCount > 1 ? udpCount : undefined,
        group,
        session_wait: sessionWait,
        own_certificate: ownCertificate ? true : undefined,
        hop: await hop?.(signal),
      }),
      { signal },
    );
    this.emit('latency', performance.now() - askedAt);
    checkSignInMessage(challenge.siwe_message, {
      relay: client.relay,
      address,
      challengeId: challenge.challenge_id,
      statement: this.#options.signInStatement?.(),
    });
    const signature = await identity.signMessage(challenge.siwe_message);
    const [grantedAt, grantedAtTick] = [Date.now(), performance.now()];
    const lease = await client.registerLease(
      { challenge_id: challenge.challenge_id, siwe_message: challenge.siwe_message, siwe_signature: signature },
      { signal },
    );
    if (lease.hostname !== (name.includes('.') ? name : `${name}.${client.relay.hostname}`)) {
      throw new AnswerError(`the relay granted ${lease.hostname}, which is not what was asked for`);
    }
    for (const kind of ['tcp', 'udp'] as const) {
      if (ports[kind] && lease[`${kind}_addr`] === undefined)
        throw new AnswerError(`the relay granted no ${kind.toUpperCase()} port, and does not say why`);
    }
    if (ports.udp && (lease.udp_count ?? 1) !== udpCount)
      throw new AnswerError(`the relay granted ${lease.udp_count ?? 1} UDP ports instead of ${udpCount}`);
    const port = lease.sni_port === undefined || lease.sni_port === 443 ? '' : `:${lease.sni_port}`;
    return {
      hostname: lease.hostname,
      url: `https://${lease.hostname}${port}`,
      tcpAddress: ports.tcp ? lease.tcp_addr : undefined,
      udpAddress: ports.udp ? lease.udp_addr : undefined,
      udpCount,
      accessToken: lease.access_token,
      lifetimeMs: bounded(lease.lifetimeMs, minLeaseMs, maxLeaseMs),
      grantedAt,
      grantedAtTick,
    };
  }

  async #renew(registration: Registration, signal: AbortSignal): Promise<void> {
    const { client, metadata, ttl } = this.#options;
    const [grantedAt, grantedAtTick] = [Date.now(), performance.now()];
    // Two attempts should fit into the remaining lifetime.
    const timeoutMs = Math.min(callTimeoutMs, Math.max(registration.lifetimeMs / 4, minLeaseMs));
    const renewal = await client.renewLease(registration.accessToken, withoutUndefined({ metadata, ttl }), {
      signal,
      timeoutMs,
    });
    this.emit('latency', performance.now() - grantedAtTick);
    registration.accessToken = renewal.access_token;
    registration.lifetimeMs = bounded(renewal.lifetimeMs, minLeaseMs, maxLeaseMs);
    registration.grantedAt = grantedAt;
    registration.grantedAtTick = grantedAtTick;
  }

  async #recover(call: LeaseCall, error: Error, signal: AbortSignal): Promise<void> {
    if (call === 'register' && this.#doWithout(error)) return;
    const reaction = this.#reaction(error, call);
    if (reaction.do === 'stop') throw error;
    if (reaction.do === 'register_once') {
      if (this.#refusedOnce) throw error;
      this.#refusedOnce = true;
    }
    if (reaction.do !== 'wait' && this.#current !== undefined) {
      const lost = this.#current;
      this.#current = undefined;
      this.#refusal = undefined;
      this.emit('lost', lost, error);
      // The first new registration is immediate; if its token is refused too, back off.
      if (this.#unproven <= 1) return;
    }
    const delayMs = this.#delayMs(reaction);
    this.emit('waiting', call, error, delayMs);
    await this.#sleep(delayMs, signal);
  }

  #reaction(error: Error, call: LeaseCall): RetryDecision {
    // The relays of a path get to know each other only in time, and may lose their overlay for a while.
    const isOfPath = this.#options.hop !== undefined && call === 'register';
    const isPassing =
      isApiError(error, 'invalid_request') || (isApiError(error, 'feature_unavailable') && this.#hasServed);
    if (isOfPath && isPassing) return { do: 'wait', cause: 'network', atLeastMs: 0 };
    return retryDecision(error, call, this.#hasServed);
  }

  /** Drops a port that the relay has turned off since it was granted, if the rest is useful. Not at the start. */
  #doWithout(error: Error): boolean {
    const code = isApiError(error) ? error.code : undefined;
    const protocol = code === 'tcp_port_disabled' ? 'tcp' : code === 'udp_disabled' ? 'udp' : undefined;
    if (protocol === undefined || !this.#hasServed || !this.#ports[protocol]) return false;
    const left = { ...this.#ports, [protocol]: false };
    if (this.#options.isEnough?.(left) !== true) return false;
    this.#ports = left;
    this.emit('without', protocol, error);
    return true;
  }

  #delayMs(reaction: RetryDecision): number {
    if (reaction.do !== 'wait') return this.#refusalBackoff.next();
    if (reaction.cause === 'answer' && reaction.atLeastMs > 0) {
      const longest = Math.max(answerBackoffLongestMs, reaction.atLeastMs);
      const base = Math.min(reaction.atLeastMs * 2 ** this.#answerFailures++, longest);
      // Not earlier than requested, with jitter.
      return base + (Math.random() * base) / 4;
    }
    return this.#networkBackoff.next();
  }

  /** Ends early when a refusal is reported or a renewal requested. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#refusal === undefined && !signal.aborted) await sleep(ms, this.#wake.signal);
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  #prove(): void {
    this.#unproven = 0;
    this.#refusedOnce = false;
    this.#refusalBackoff.reset();
  }

  #forgetFailures(): void {
    this.#networkBackoff.reset();
    this.#answerFailures = 0;
  }
}

function wantedPorts({ ports = {} }: LeaseKeeperOptions): WantedPorts {
  return { tcp: ports.tcp === true, udp: ports.udp === true };
}

function renewDelayMs({ lifetimeMs, grantedAt, grantedAtTick }: Registration): number {
  const share = renewShare - Math.random() * renewJitterShare;
  const due = Math.min(lifetimeMs * share, maxRenewIntervalMs * (1 - Math.random() * renewJitterShare));
  // Uses both clocks: only the system clock advances during suspension, but it may be set back.
  const passed = Math.max(Date.now() - grantedAt, performance.now() - grantedAtTick);
  return Math.max(due - passed, minRenewIntervalMs);
}

function bounded(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
