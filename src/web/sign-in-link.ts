import { useSyncExternalStore } from 'react';
import { client, type Schemas } from './api.js';

const prefix = '#sign-in=';
const maxLength = 16_384;
export type SignInLink = Schemas['LoginRequest'];

let link: SignInLink | undefined;
const listeners = new Set<() => void>();

function change(next: SignInLink | undefined): void {
  link = next;
  for (const listener of listeners) listener();
}

/** Takes what was signed elsewhere out of the URL, as `portal admin login --browser` puts it there. */
export function takeSignInLink(): void {
  addEventListener('hashchange', takeSignInLink);
  const { hash } = location;
  if (!hash.startsWith(prefix)) return;
  // Neither the history nor a bookmark keeps it.
  history.replaceState(null, '', location.pathname + location.search);
  change(read(hash.slice(prefix.length)));
}

function read(text: string): SignInLink | undefined {
  if (text.length > maxLength) return undefined;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0));
    const { challenge_id, siwe_message, siwe_signature } = JSON.parse(new TextDecoder().decode(bytes)) as SignInLink;
    const all = [challenge_id, siwe_message, siwe_signature];
    return all.every((each) => typeof each === 'string') ? { challenge_id, siwe_message, siwe_signature } : undefined;
  } catch {
    return undefined;
  }
}

export function useSignInLink(): SignInLink | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => link,
  );
}

export const forgetSignInLink = () => change(undefined);

/** It works once, whatever becomes of it. @throws CallError */
export async function signInByLink(body: SignInLink): Promise<void> {
  change(undefined);
  await client.POST('/admin/auth/login', { body });
}
