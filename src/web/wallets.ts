import { useSyncExternalStore } from 'react';
import { client } from './api.js';

/** EIP-1193 */
interface Provider {
  request(call: { method: string; params?: unknown[] }): Promise<unknown>;
  on?(event: 'accountsChanged', listener: (accounts: unknown) => void): unknown;
  removeListener?(event: 'accountsChanged', listener: (accounts: unknown) => void): unknown;
}

/** EIP-6963 */
export interface Wallet {
  id: string;
  name: string;
  icon: string | undefined;
  provider: Provider;
}

const maxWallets = 16;
let wallets: readonly Wallet[] = [];
/** Who is signed in, from an earlier load of the page. */
let owner: string | undefined;
const listeners = new Set<() => void>();

function add(wallet: Wallet): void {
  if (wallets.length >= maxWallets || wallets.some(({ id }) => id === wallet.id)) return;
  wallets = [...wallets, wallet];
  if (owner !== undefined) void followOwner(wallet, owner);
  for (const listener of listeners) listener();
}

/** Asks the browser's wallets to announce themselves. */
export function findWallets(): void {
  addEventListener('eip6963:announceProvider', (event) => {
    const { info, provider } = (
      event as CustomEvent<{ info: { uuid: string; name: string; icon?: string }; provider: Provider }>
    ).detail;
    const icon = typeof info.icon === 'string' && info.icon.startsWith('data:image/') ? info.icon : undefined;
    add({ id: String(info.uuid), name: String(info.name).slice(0, 40), icon, provider });
  });
  dispatchEvent(new Event('eip6963:requestProvider'));
  // Older ones do not announce themselves.
  const { ethereum } = globalThis as { ethereum?: Provider };
  if (wallets.length === 0 && typeof ethereum?.request === 'function')
    add({ id: 'injected', name: 'browser wallet', icon: undefined, provider: ethereum });
}

export function useWallets(): readonly Wallet[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => wallets,
  );
}

/** A message to sign, for an account of the wallet. */
export interface Challenge {
  wallet: Wallet;
  address: string;
  id: string;
  message: string;
}

/** @returns undefined when the wallet names no account */
export async function askForChallenge(wallet: Wallet): Promise<Challenge | undefined> {
  const accounts = await wallet.provider.request({ method: 'eth_requestAccounts' });
  const address: unknown = Array.isArray(accounts) ? accounts[0] : undefined;
  if (typeof address !== 'string') return undefined;
  const { data } = await client.POST('/admin/auth/challenge', { body: { address } });
  const { challenge_id: id, siwe_message: message } = data!.data;
  return { wallet, address, id, message };
}

/** @throws what the wallet throws when its owner refuses, or a `CallError` */
export async function signIn({ wallet, address, id, message }: Challenge): Promise<void> {
  const hex = `0x${Array.from(new TextEncoder().encode(message), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  const signature = await wallet.provider.request({ method: 'personal_sign', params: [hex, address] });
  await client.POST('/admin/auth/login', {
    body: { challenge_id: id, siwe_message: message, siwe_signature: String(signature) },
  });
  follow(wallet, address);
}

/** Follows the wallet that has the account which is signed in, without asking its owner for anything. */
export function followAccount(address: string): void {
  owner = address;
  for (const wallet of wallets) void followOwner(wallet, address);
}

async function followOwner(wallet: Wallet, address: string): Promise<void> {
  const accounts = await wallet.provider.request({ method: 'eth_accounts' }).catch(() => []);
  const isIts = (account: unknown) => typeof account === 'string' && account.toLowerCase() === address.toLowerCase();
  if (owner === address && Array.isArray(accounts) && accounts.some(isIts)) follow(wallet, address);
}

let unfollow = () => {};
const changes = new EventTarget();

/** Tells when the wallet that signed in goes to another account. */
function follow({ provider }: Wallet, address: string): void {
  unfollow();
  const listener = (accounts: unknown) => {
    const now: unknown = Array.isArray(accounts) ? accounts[0] : undefined;
    if (typeof now === 'string' && now.toLowerCase() !== address.toLowerCase())
      changes.dispatchEvent(new Event('changed'));
  };
  provider.on?.('accountsChanged', listener);
  unfollow = () => void provider.removeListener?.('accountsChanged', listener);
}

export function onAccountChanged(listener: () => void): () => void {
  changes.addEventListener('changed', listener);
  return () => changes.removeEventListener('changed', listener);
}
