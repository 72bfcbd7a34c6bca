import type { Wallet } from 'ethers';
import type { Page } from 'playwright-core';

/** What a wallet does for a page, by EIP-1193. */
export interface BrowserWallet {
  /** Messages that it was asked to sign. */
  signed: string[];
  /** Refuses to sign from now on. */
  refuses: boolean;
}

/** Puts a wallet into a page, which announces itself by EIP-6963 and signs by itself. Call it before the page is opened. */
export async function injectWallet(page: Page, account: Wallet, name = 'Test wallet'): Promise<BrowserWallet> {
  const state: BrowserWallet = { signed: [], refuses: false };
  await page.exposeFunction('walletRequest', async (method: string, params: unknown[] = []) => {
    if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [account.address];
    if (method !== 'personal_sign') throw new Error(`the test wallet does not know ${method}`);
    if (state.refuses) throw new Error('User rejected the request.');
    const message = Buffer.from(String(params[0]).slice(2), 'hex').toString();
    state.signed.push(message);
    return await account.signMessage(message);
  });
  await page.addInitScript(`
    const listeners = [];
    const provider = {
      request: ({ method, params }) => walletRequest(method, params),
      on: (event, listener) => { if (event === 'accountsChanged') listeners.push(listener); },
      removeListener: (event, listener) => { listeners.splice(listeners.indexOf(listener), 1); },
    };
    window.changeAccount = (address) => { for (const listener of [...listeners]) listener([address]); };
    const info = { uuid: '350670db-19fa-4704-a166-e52e178b59d2', name: ${JSON.stringify(name)}, icon: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg"/>', rdns: 'org.example' };
    const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: Object.freeze({ info, provider }) }));
    window.addEventListener('eip6963:requestProvider', announce);
    announce();
  `);
  return state;
}
