import type { Duplex } from 'node:stream';
import { ApiError } from '../../contract/index.js';
import { refuseWhenDraining } from './draining.js';
import type { LeaseAuth } from '../leases/lease-auth.js';
import { identityKey } from '../../contract/lease-identity.js';
import type { Holding, Lease } from '../leases/lease.js';
import type { Policy } from '../policy/policy.js';
import type { LeaseSessions } from './lease-sessions.js';
import type { SessionRegistry } from './session-registry.js';
import { ReverseSession, type ReverseSessionOptions } from './reverse-session.js';
import { portalHeaders } from '../../protocol/headers.js';

/** Limit for new sessions only: recycled sessions may exceed it. */
export const recycledReadyLimit = 64;

/** The facts of a `GET /sdk/connect` request, whatever its carrier. */
export interface ConnectRequest {
  /** `1.1` */
  httpVersion: string;
  clientIp: string;
  /** Returns a header by its case-insensitive name. */
  header(name: string): string | undefined;
}

export interface Admission {
  sessions: LeaseSessions;
  options: ReverseSessionOptions;
  clientIp: string;
  /** The tunnel, of those that share the lease. */
  member?: string | undefined;
}

/** Decides whether a request may open a reverse session, before the connection is switched. */
export class ReverseAdmission {
  constructor(
    private readonly auth: LeaseAuth,
    private readonly registry: SessionRegistry,
    private readonly policy: Policy,
    /** Whether sessions without a binding are useful: digest signing is on. */
    private readonly unboundSessions: boolean,
    private readonly draining: AbortSignal,
  ) {}

  /**
   * @throws ApiError `http11_only`, `ip_banned`, `lease_rejected`, `unauthorized`, `lease_not_found`, `hostname_conflict`, `invalid_request`,
   * `transport_mismatch` (visitors go on to another relay), `feature_unavailable` (a session that could never be claimed), `rate_limited` (the
   * ready queue is full, or the relay is going down)
   */
  async admit(request: ConnectRequest): Promise<Admission> {
    const { lease, member } = await this.#leaseByHttp(request);
    if (lease.hop?.forwards !== undefined)
      throw new ApiError(
        'transport_mismatch',
        'visitors of this lease go on to another relay: open sessions at the last',
      );
    const options = {
      binding: isOn(request, portalHeaders.binding, '1'),
      proxy: isOn(request, portalHeaders.proxy, '2'),
      recycle: isOn(request, portalHeaders.recycle, '1'),
      unwrap: isOn(request, portalHeaders.unwrap, '1'),
      sign: isOn(request, portalHeaders.sign, '1'),
    };
    // A signature needs a binding, and frames to tell signing messages from the connection's bytes.
    options.sign &&= options.recycle && options.binding;
    // Of a path, the entry signs.
    options.sign &&= lease.hop === undefined;
    // Connections to a TCP port may be plaintext, so the session keeps its TLS.
    options.unwrap &&= options.recycle && options.binding && lease.tcpPort === undefined;
    // Raw TCP needs no binding.
    if (!options.binding && !this.unboundSessions && lease.tcpPort === undefined) {
      throw new ApiError('feature_unavailable', 'send X-Portal-Binding: 1, this relay signs transcripts only');
    }
    const sessions = this.registry.of(lease);
    sessions.queue.assertRoom(member);
    lease.lastSeenAt = Date.now();
    return { sessions, options, clientIp: request.clientIp, member };
  }

  /**
   * Admits a datagram carrier.
   * @throws ApiError as `admit`, except for the queue's errors; `transport_mismatch` on a lease without UDP
   */
  async admitDatagrams(request: ConnectRequest): Promise<LeaseSessions> {
    return this.#datagramsOf((await this.#leaseByHttp(request)).lease);
  }

  /**
   * Admits a connection to the API of another relay.
   * @returns the sessions of its lease, and the signing address of the relay, in lower case
   * @throws ApiError as `admit`, except for the queue's errors; `transport_mismatch` for a lease that accepts nothing from another relay
   */
  async admitPeer(request: ConnectRequest): Promise<{ sessions: LeaseSessions; relay: string }> {
    const { lease } = await this.#leaseByHttp(request);
    if (lease.hop?.accepts === undefined)
      throw new ApiError('transport_mismatch', 'only a lease with hop.accept leads to other relays');
    const relay = request.header(portalHeaders.peer)?.toLowerCase();
    if (relay === undefined || !/^0x[0-9a-f]{40}$/.test(relay))
      throw new ApiError('invalid_request', `${portalHeaders.peer} must be 0x and 40 hex digits`);
    return { sessions: this.registry.of(lease), relay };
  }

  /**
   * Admits a datagram carrier that is not opened by HTTP.
   * @throws ApiError as `admitDatagrams`
   */
  async admitToken(accessToken: string | undefined, clientIp: string): Promise<LeaseSessions> {
    return this.#datagramsOf((await this.#holding(accessToken, clientIp)).lease);
  }

  #datagramsOf(lease: Lease): LeaseSessions {
    if (lease.udpPorts === undefined) throw new ApiError('transport_mismatch', 'this lease has no UDP port');
    lease.lastSeenAt = Date.now();
    return this.registry.of(lease);
  }

  async #leaseByHttp(request: ConnectRequest): Promise<Holding> {
    if (request.httpVersion !== '1.1') throw new ApiError('http11_only', 'reverse sessions need HTTP/1.1');
    return await this.#holding(request.header(portalHeaders.accessToken), request.clientIp);
  }

  /** The lease that the token may connect for. */
  async #holding(accessToken: string | undefined, clientIp: string): Promise<Holding> {
    refuseWhenDraining(this.draining);
    const holding = await this.auth.holding({ header: accessToken, clientIp });
    this.policy.assertMayServe(identityKey(holding.lease.identity));
    return holding;
  }

  /**
   * Adds the switched connection to its lease's queue, unless it was refused meanwhile, and again each time the session is
   * recycled.
   */
  enter(admission: Admission, stream: Duplex): void {
    admission.sessions.attach(stream);
    this.#enter(admission, stream);
  }

  #enter(admission: Admission, stream: Duplex): void {
    const { sessions, options, clientIp, member } = admission;
    const reopen = (reopened: Duplex) => this.enter(admission, reopened);
    const session = new ReverseSession(stream, options, clientIp, member, reopen);
    session.once('recycled', () => {
      if (sessions.queue.readyOf(member) < recycledReadyLimit) this.#enter(admission, stream);
      else stream.destroy();
    });
    if (this.policy.isIpBanned(clientIp)) session.close();
    else if (member !== undefined && !sessions.lease.group?.members.has(member)) session.close();
    else sessions.add(session);
  }
}

function isOn(request: ConnectRequest, name: string, on: string): boolean {
  const value = request.header(name);
  if (value !== undefined && value !== on) throw new ApiError('invalid_request', `${name} must be ${on} if it is sent`);
  return value === on;
}
