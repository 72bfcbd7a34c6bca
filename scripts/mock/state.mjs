import { randomBytes } from 'node:crypto';
import { getAddress, verifyMessage } from 'ethers';
import { consoleAnswers } from './console.mjs';
import { Refusal } from './refusal.mjs';
import { leaseOf, scenarios } from './scenarios.mjs';

/** What the mock keeps at most of anything that a page makes it keep. */
const maxKept = 1_000;
const challengeMs = 120_000;
const rootHost = 'portal.example.com';
/** Operations that the audit log tells of. */
const audited = /^(?:ban|unban|approve|revoke|deny|remove|set|loginAdmin|logoutAdmin|endAdmin)/;

class Kept extends Map {
  set(key, value) {
    if (this.size >= maxKept) this.delete(this.keys().next().value);
    return super.set(key, value);
  }
}

/** A relay's state, as far as frontends see it: leases, sign-ins, decisions. In memory, and gone with the mock. */
export class MockState {
  constructor(name, now = Date.now) {
    this.now = now;
    this.reset(name);
  }

  reset(name) {
    if (!Object.hasOwn(scenarios, name)) throw new Refusal('not_found', `no scenario is called ${name}`, 404);
    this.name = name;
    this.scenario = scenarios[name];
    this.started = this.now();
    this.challenges = new Kept();
    this.sessions = new Kept();
    this.own = new Kept();
    this.decided = new Kept();
    this.bannedIps = new Set();
    this.audit = [];
    this.seq = 0;
    this.approvalMode = this.scenario.approvalMode ?? 'auto';
    this.landingPage = true;
    this.udp = { enabled: true, max_leases: 20 };
    this.tcp = { enabled: true, max_leases: 20 };
  }

  get seconds() {
    return (this.now() - this.started) / 1000;
  }

  /** Handlers by operation: `data`, or `{ data, headers }` with a cookie. They throw a Refusal. */
  answer(operationId, request) {
    const data = consoleAnswers[operationId]?.(this, request) ?? this[operationId]?.(request);
    if (audited.test(operationId)) this.note(operationId, request, data);
    return data;
  }

  /** Adds to the audit log. */
  note(action, { params = {}, body, session }, answer) {
    const target = params.ip ?? (params.name === undefined ? undefined : this.keyOf({ params }));
    const entry = {
      seq: ++this.seq,
      time: new Date(this.now()).toISOString(),
      wallet: answer.data?.wallet_address ?? this.sessions.get(session),
      ip: '127.0.0.1',
      action,
      target,
      value: action.startsWith('set') ? body : undefined,
      result: 'done',
    };
    this.audit.push(JSON.parse(JSON.stringify(entry)));
    if (this.audit.length > maxKept) this.audit.shift();
  }

  keyOf({ params }) {
    return [params.name, params.addr].map((each) => Buffer.from(each, 'base64url').toString().toLowerCase()).join(':');
  }

  writes() {
    if (this.scenario.fails?.includes('store')) throw new Refusal('internal', 'the store cannot be written', 500);
  }

  // Leases

  createRegisterChallenge({ body, origin }) {
    const name = body.identity.name.toLowerCase();
    const address = getAddress(body.identity.address.toLowerCase());
    const owner = this.ownerOf(name);
    if (owner !== undefined && owner !== address) throw new Refusal('hostname_conflict', `${name} is another's`, 409);
    return this.challenge(origin, '/sdk/register', {
      name,
      address,
      ttl: body.ttl ?? 30,
      metadata: body.metadata ?? {},
    });
  }

  registerLease({ body }) {
    this.writes();
    const { name, address, ttl, metadata } = this.signedIn(body);
    const token = `mock-${randomBytes(12).toString('hex')}`;
    const lease = { name, address, ttl, metadata, first: this.now(), expires: this.now() + ttl * 1000, token };
    for (const [key, other] of this.own) if (other.name === name) this.own.delete(key);
    this.own.set(token, lease);
    const identity = { name, address };
    return {
      identity,
      hostname: `${name}.${rootHost}`,
      expires_at: new Date(lease.expires).toISOString(),
      access_token: token,
    };
  }

  renewLease({ body, token }) {
    const lease = this.leaseOfToken(token ?? body.access_token);
    this.own.delete(lease.token);
    lease.token = `mock-${randomBytes(12).toString('hex')}`;
    lease.expires = this.now() + (body.ttl ?? lease.ttl) * 1000;
    this.own.set(lease.token, lease);
    return { expires_at: new Date(lease.expires).toISOString(), access_token: lease.token };
  }

  unregisterLease({ body, token }) {
    this.writes();
    this.own.delete(this.leaseOfToken(token ?? body.access_token).token);
    return {};
  }

  getTunnelStatus({ token, query }) {
    const lease = this.leaseOfToken(token);
    const hostname = `${lease.name}.${rootHost}`;
    if (query.get('hostname') !== hostname) throw new Refusal('unauthorized', 'the token is of another name', 401);
    return { hostname, registered: true, service_alive: false };
  }

  leaseOfToken(token) {
    const lease = this.own.get(token);
    if (lease === undefined || lease.expires <= this.now())
      throw new Refusal('lease_not_found', 'no lease has this token', 404);
    return lease;
  }

  ownerOf(name) {
    return this.leases().find((lease) => lease.name === name)?.address;
  }

  /** Those of the scenario and those that were registered, with what was decided. */
  leases() {
    const now = this.now();
    const registered = [...this.own.values()]
      .filter(({ expires }) => expires > now)
      .map(({ name, address, metadata, first, expires }) =>
        leaseOf(name, now, {
          address,
          metadata,
          first_seen_at: new Date(first).toISOString(),
          expires_at: new Date(expires).toISOString(),
          ready: 0,
          client_ip: '127.0.0.1',
          is_approved: this.approvalMode === 'auto',
        }),
      );
    return [...this.scenario.leases(now, this.seconds), ...registered]
      .map((lease) => ({ ...lease, ...this.decided.get(lease.identity_key) }))
      .map((lease) => ({ ...lease, is_ip_banned: this.bannedIps.has(lease.client_ip) }))
      .filter((lease) => !lease.is_banned && !lease.is_denied && !lease.is_ip_banned);
  }

  // Sign-in

  createAdminChallenge({ body, origin }) {
    return this.challenge(origin, '/admin/auth/login', { address: getAddress(body.address.toLowerCase()) });
  }

  loginAdmin({ body }) {
    const { address } = this.signedIn(body);
    const session = randomBytes(16).toString('hex');
    this.sessions.set(session, address);
    const cookie = `portal_admin=${session}; Path=/admin; Max-Age=86400; HttpOnly; Secure; SameSite=Strict`;
    return { data: { wallet_address: address }, headers: { 'set-cookie': cookie } };
  }

  getAdminStatus({ session }) {
    const address = this.sessions.get(session);
    return address === undefined ? { authenticated: false } : { authenticated: true, wallet_address: address };
  }

  logoutAdmin({ session }) {
    this.sessions.delete(session);
    const cookie = 'portal_admin=; Path=/admin; Max-Age=0; HttpOnly; Secure; SameSite=Strict';
    return { data: {}, headers: { 'set-cookie': cookie } };
  }

  challenge(origin, path, wanted) {
    const id = `chl_${randomBytes(10).toString('hex')}`;
    const now = this.now();
    const expires = new Date(now + challengeMs).toISOString();
    const message = [
      `${new URL(origin).host} wants you to sign in with your Ethereum account:`,
      wanted.address,
      '',
      '',
      `URI: ${origin}${path}`,
      'Version: 1',
      'Chain ID: 1',
      `Nonce: ${randomBytes(8).toString('hex')}`,
      `Issued At: ${new Date(now).toISOString()}`,
      `Expiration Time: ${expires}`,
      `Request ID: ${id}`,
    ].join('\n');
    this.challenges.set(id, { ...wanted, message, until: now + challengeMs });
    return { challenge_id: id, expires_at: expires, siwe_message: message };
  }

  /** Any wallet that signs its own challenge is let in. */
  signedIn({ challenge_id: id, siwe_message: message, siwe_signature: signature }) {
    const challenge = this.challenges.get(id);
    this.challenges.delete(id);
    const refuse = (reason) => new Refusal('unauthorized', reason, 401);
    if (challenge === undefined || challenge.until <= this.now())
      throw refuse('the challenge is not known, or has expired');
    if (challenge.message !== message) throw refuse('the message is not the one that was sent');
    let signer;
    try {
      signer = verifyMessage(message, signature);
    } catch {
      throw refuse('the signature cannot be read');
    }
    if (signer !== challenge.address) throw refuse('the signature is of another account');
    return challenge;
  }

  // Decisions

  getSnapshot() {
    const leases = this.leases();
    const decided = [...this.decided].map(([key, decision]) => {
      const [name, address] = key.split(':');
      const flags = {
        is_approved: this.approvalMode === 'auto',
        has_approval: false,
        is_banned: false,
        is_denied: false,
        ...decision,
      };
      return { identity_key: key, address: getAddress(address), name, ...flags };
    });
    return {
      approval_mode: this.approvalMode,
      landing_page_enabled: this.landingPage,
      leases,
      udp: this.udp,
      tcp_port: this.tcp,
      identities: [...(this.scenario.identities?.(this.seconds) ?? []), ...decided],
      banned_ips: [...this.bannedIps],
    };
  }

  decide(request, change) {
    this.writes();
    const key = this.keyOf(request);
    const decision = { ...this.decided.get(key), ...change };
    for (const [field, value] of Object.entries(decision)) if (value === undefined) delete decision[field];
    this.decided.set(key, decision);
    return {};
  }

  banLease(request) {
    return this.decide(request, { is_banned: true });
  }

  unbanLease(request) {
    return this.decide(request, { is_banned: false });
  }

  approveLease(request) {
    return this.decide(request, { is_approved: true, has_approval: true, is_denied: false });
  }

  revokeLeaseApproval(request) {
    return this.decide(request, { is_approved: this.approvalMode === 'auto', has_approval: false });
  }

  denyLease(request) {
    return this.decide(request, { is_denied: true, is_approved: false, has_approval: false });
  }

  removeLeaseDenial(request) {
    return this.decide(request, { is_denied: false, is_approved: this.approvalMode === 'auto' });
  }

  setLeaseBps(request) {
    this.decide(request, { bps: request.body.bps });
    return { bps: request.body.bps };
  }

  removeLeaseBps(request) {
    return this.decide(request, { bps: undefined });
  }

  banIp({ params }) {
    this.writes();
    if (this.bannedIps.size < maxKept) this.bannedIps.add(params.ip);
    return {};
  }

  unbanIp({ params }) {
    this.writes();
    this.bannedIps.delete(params.ip);
    return {};
  }

  setLandingPage({ body }) {
    this.writes();
    this.landingPage = body.enabled;
    return { enabled: body.enabled };
  }

  setUdpSettings({ body }) {
    this.writes();
    return (this.udp = { ...this.udp, ...body });
  }

  setTcpPortSettings({ body }) {
    this.writes();
    return (this.tcp = { ...this.tcp, ...body });
  }

  setApprovalMode({ body }) {
    this.writes();
    this.approvalMode = body.mode;
    return { approval_mode: body.mode };
  }

  getHealth() {
    const { fails } = this.scenario;
    return fails ? { status: 'ok', degraded: fails } : { status: 'ok' };
  }
}
