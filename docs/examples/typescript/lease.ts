/**
 * Leases a name with the client that hey-api makes of the contract, renews the lease and gives it back.
 *
 * Usage: lease RELAY_URL CA_FILE NAME
 */
import { readFileSync } from 'node:fs';
import { Wallet } from 'ethers';
import { RelayTransport } from 'portal-sdk/node';
import { client } from './client/client.gen.js';
import { createRegisterChallenge, registerLease, renewLease, unregisterLease } from './client/index.js';

const [relay = '', caFile = '', name = ''] = process.argv.slice(2);
// Any `fetch` will do; this one trusts the relay's own CA and knows names under localhost.
const transport = new RelayTransport({ ca: readFileSync(caFile) });
async function send(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const { url, method, headers, body } = new Request(input, init);
  const text = body ? await new Response(body).text() : undefined;
  return (await transport.fetch(url, { method, headers: Object.fromEntries(headers), body: text })) as Response;
}
client.setConfig({ baseUrl: relay, fetch: send, throwOnError: true });

const wallet = Wallet.createRandom();
const identity = { name, address: wallet.address };
const { data: challenge } = (await createRegisterChallenge<true>({ body: { identity } })).data;
// What must be checked before it is signed is in docs/vectors/sign-in-messages.json; here the least of it.
if (!challenge.siwe_message.startsWith(`${new URL(relay).host} wants you to sign in`))
  throw new Error('not signed: the message is for another relay');
const { challenge_id, siwe_message } = challenge;
const siwe_signature = await wallet.signMessage(siwe_message);
const { data: lease } = (await registerLease<true>({ body: { challenge_id, siwe_message, siwe_signature } })).data;
console.log('leased', lease.hostname, 'until', lease.expires_at);
const { data: renewal } = (await renewLease<true>({ body: { access_token: lease.access_token } })).data;
console.log('renewed until', renewal.expires_at);
const { access_token } = renewal;
await unregisterLease({ body: { access_token } });
console.log('given back');
const { error } = await renewLease({ body: { access_token }, throwOnError: false });
console.log('renewed once more:', error && 'error' in error ? error.error.code : 'not refused');
await transport.close();
