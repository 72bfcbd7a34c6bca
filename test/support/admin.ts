import type { Wallet } from 'ethers';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, call } from './by-hand.js';
import type { TestRelay } from './relay.js';

// An operator's program, made by hand from the contract: a wallet's signature and a cookie.

/** What `call` needs of a relay, so that one in another process does too. */
export type Reachable = Pick<TestRelay, 'apiPort' | 'ca' | 'rootHost'>;

export interface Challenge {
  challenge_id: string;
  siwe_message: string;
  expires_at: string;
}

export async function adminChallenge(relay: Reachable, address: string): Promise<Challenge> {
  const answer = await call(relay, 'POST', '/admin/auth/challenge', { body: { address } });
  if (answer.status !== 201) throw new Error(`challenge: ${JSON.stringify(answer.body)}`);
  return answer.body.data as Challenge;
}

/** @param signer whose signature it is, where that is not the wallet that the challenge is for */
export async function tryLogin(relay: Reachable, challenge: Challenge, signer: Wallet): Promise<Answer> {
  const { challenge_id, siwe_message } = challenge;
  const siwe_signature = await signer.signMessage(siwe_message);
  return await call(relay, 'POST', '/admin/auth/login', { body: { challenge_id, siwe_message, siwe_signature } });
}

/** @returns the Cookie header of a session */
export async function login(relay: Reachable, wallet: Wallet): Promise<string> {
  const answer = await tryLogin(relay, await adminChallenge(relay, wallet.address), wallet);
  if (answer.status !== 200) throw new Error(`login: ${JSON.stringify(answer.body)}`);
  return cookieOf(answer);
}

/** `portal_admin=...` as a browser sends it back. */
export function cookieOf({ headers }: Answer): string {
  return String(headers['set-cookie']).split(';')[0] as string;
}

export interface Admin {
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  delete(path: string): Promise<Answer>;
  /** The data of a call that must succeed. */
  snapshot(): Promise<any>; // eslint-disable-line @typescript-eslint/no-explicit-any
}

export async function adminOf(relay: Reachable, wallet: Wallet): Promise<Admin> {
  return adminWith(relay, await login(relay, wallet));
}

export function adminWith(relay: Reachable, cookie: string): Admin {
  const ask = (method: string, path: string, body?: unknown) =>
    call(relay, method, `/admin${path}`, { body, headers: { cookie } });
  return {
    get: (path) => ask('GET', path),
    post: (path, body) => ask('POST', path, body),
    delete: (path) => ask('DELETE', path),
    async snapshot() {
      const answer = await ask('GET', '/snapshot');
      if (answer.status !== 200) throw new Error(`snapshot: ${JSON.stringify(answer.body)}`);
      return answer.body.data;
    },
  };
}

/** `/leases/{name}/{addr}/...` of an identity. */
export function leasePath({ name, address }: { name: string; address: string }, what: string): string {
  return `/leases/${Buffer.from(name).toString('base64url')}/${Buffer.from(address).toString('base64url')}/${what}`;
}

/** The audit log, a line each. */
export function auditLines(stateDir: string): Record<string, unknown>[] {
  const text = readFileSync(join(stateDir, 'audit.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
