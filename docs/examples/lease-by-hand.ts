/**
 * A lease by hand, with the client and ethers alone: challenge, signature, registration, renewal, status, and back.
 *
 *   node lease-by-hand.js https://relay.example.com my-name
 *
 * For a relay with a CA of its own, set PORTAL_CA to its PEM file.
 */
import { readFileSync } from 'node:fs';
import { Wallet } from 'ethers';
import { checkSignInMessage, createPortalClient, isApiError } from 'portal-relay/sdk';
import { RelayTransport } from 'portal-relay/sdk/node';

const [relay = '', name = ''] = process.argv.slice(2);
const caFile = process.env['PORTAL_CA'];
const transport = new RelayTransport({ ca: caFile === undefined ? undefined : readFileSync(caFile) });
const client = createPortalClient({ relay, fetch: transport.fetch });
const wallet = Wallet.createRandom();

try {
  const { root_host, transports } = await client.getDomain();
  console.log(`relay ${root_host} carries sessions over ${transports.join(', ')}`);

  const identity = { name, address: wallet.address };
  const challenge = await client.createRegisterChallenge({ identity, ttl: 60 });
  // Never sign what a relay sends without this: it might be another relay's challenge.
  checkSignInMessage(challenge.siwe_message, {
    relay: client.relay,
    address: wallet.address,
    challengeId: challenge.challenge_id,
  });
  const lease = await client.registerLease({
    challenge_id: challenge.challenge_id,
    siwe_message: challenge.siwe_message,
    siwe_signature: await wallet.signMessage(challenge.siwe_message),
  });
  console.log(`leased ${lease.hostname} for ${Math.round(lease.lifetimeMs / 1000)} s`);

  // Each renewal gives another token.
  const renewed = await client.renewLease(lease.access_token, { ttl: 120 });
  console.log(`renewed for ${Math.round(renewed.lifetimeMs / 1000)} s`);

  // Any operation by its id: the envelope as it came, told apart by `ok`.
  const query = { hostname: lease.hostname };
  const status = await client.send('getTunnelStatus', { accessToken: renewed.access_token, query });
  if (status.ok) console.log(`registered: ${status.data.registered}, alive: ${status.data.service_alive}`);
  else console.log(`no status: ${status.error.code}, retry: ${status.retry}`);

  await client.unregisterLease(renewed.access_token);
  await client.renewLease(renewed.access_token).catch((error: unknown) => {
    if (!isApiError(error, 'lease_not_found')) throw error;
    console.log(`given back: ${error.code}, ${error.status}, ${error.retry}`);
  });
} catch (error) {
  if (!isApiError(error)) throw error;
  console.error(`refused: ${error.code} (${error.message}), retry: ${error.retry}`);
  process.exitCode = 1;
} finally {
  await transport.close();
}
