/** Runs in the login page: asks a wallet of the browser (EIP-1193, found by EIP-6963) for a signature. */
export const walletScript = `
'use strict';
const status = document.getElementById('wallet-status');
const found = [];
addEventListener('eip6963:announceProvider', ({ detail }) => found.push(detail.provider));
dispatchEvent(new Event('eip6963:requestProvider'));
async function post(path, body) {
  const response = await fetch(path + location.search, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}
document.getElementById('wallet').addEventListener('click', async () => {
  const wallet = found[0] || window.ethereum;
  if (!wallet) {
    status.textContent = 'This browser has no wallet. Install one, such as MetaMask, and reload the page.';
    return;
  }
  try {
    status.textContent = 'Look at your wallet.';
    const [address] = await wallet.request({ method: 'eth_requestAccounts' });
    const { message } = await (await post('wallet/challenge', { address })).json();
    const signature = await wallet.request({ method: 'personal_sign', params: [message, address] });
    await post('wallet/login', { signature });
    const to = new URLSearchParams(location.search).get('to') || '/';
    const url = new URL(to, location.href);
    location.replace(url.origin === location.origin ? url.href : '/');
  } catch (error) {
    status.textContent = error && error.message ? error.message : 'The wallet refused.';
  }
});
`;
