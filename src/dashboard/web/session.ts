import createClient from 'openapi-fetch';
import type { AgentClient } from '../../agent/client/agent-client.js';
import type { AgentPaths } from '../../agent/contract.js';

/** Of this origin alone, port and all, which a cookie would not be. */
const tokenKey = 'portal-agent-token';

/** A way to ask the agent: as its owner by a token, or as whoever the cookie says. */
function clientWith(token: string | null): AgentClient {
  return createClient<AgentPaths>({
    baseUrl: location.origin,
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
  });
}

export interface Session {
  client: AgentClient;
  /** Whether it may change anything. */
  isOwner: boolean;
}

/** Trades the code of the address, if there is one, and takes it out of the address. @returns why it does not serve */
export async function redeemLink(): Promise<string | undefined> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code === null) return undefined;
  history.replaceState(null, '', location.pathname);
  const { data, error } = await clientWith(null).POST('/v1/agent/auth/redeem', { body: { code } });
  if (data) sessionStorage.setItem(tokenKey, data.data.token);
  return error?.error.message;
}

/** @returns undefined when nobody is signed in */
export async function currentSession(): Promise<Session | undefined> {
  const token = sessionStorage.getItem(tokenKey);
  if (token !== null) {
    const client = clientWith(token);
    const { response } = await client.GET('/v1/agent/status');
    if (response.ok) return { client, isOwner: true };
    if (response.status === 401) sessionStorage.removeItem(tokenKey);
  }
  const client = clientWith(null);
  const { data } = await client.GET('/v1/agent/auth/status');
  return data?.data.authenticated ? { client, isOwner: false } : undefined;
}

/** Forgets the token, and ends the session of the cookie. */
export async function signOut(): Promise<void> {
  sessionStorage.removeItem(tokenKey);
  await clientWith(null).POST('/v1/agent/auth/logout');
}

/** EIP-1193. */
interface WalletProvider {
  request(call: { method: string; params?: unknown[] }): Promise<unknown>;
}

declare global {
  interface Window {
    ethereum?: WalletProvider;
  }
}

/** Wallets of the browser that have announced themselves (EIP-6963). */
const announced: WalletProvider[] = [];

export function findWallets(): void {
  addEventListener('eip6963:announceProvider', (event) => {
    announced.push((event as CustomEvent<{ provider: WalletProvider }>).detail.provider);
  });
  dispatchEvent(new Event('eip6963:requestProvider'));
}

/** @throws Error that says what to do */
export async function signInWithWallet(): Promise<void> {
  const wallet = announced[0] ?? window.ethereum;
  if (!wallet) throw new Error('This browser has no wallet. Install one, such as MetaMask, and reload the page.');
  const [address] = (await wallet.request({ method: 'eth_requestAccounts' })) as string[];
  if (address === undefined) throw new Error('The wallet has given no account.');
  const client = clientWith(null);
  const { data: asked, error: refused } = await client.POST('/v1/agent/auth/challenge', { body: { address } });
  if (!asked) throw new Error(refused.error.message);
  const { challenge_id, siwe_message } = asked.data;
  const siwe_signature = (await wallet.request({
    method: 'personal_sign',
    params: [`0x${hex(siwe_message)}`, address],
  })) as string;
  const { error } = await client.POST('/v1/agent/auth/login', { body: { challenge_id, siwe_message, siwe_signature } });
  if (error) throw new Error(error.error.message);
}

const hex = (text: string) =>
  [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
