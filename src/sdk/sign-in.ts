import { getAddress } from 'ethers';
import { SiweMessage } from 'siwe';
import { maxSignInLifetimeMs } from './constants.js';
import { SigningRefusedError } from './errors.js';

export interface SignInExpectation {
  /** The relay as its user named it, never as it names itself. */
  relay: URL;
  /** Own address. */
  address: string;
  challengeId: string;
  /** Path of the endpoint that will take the signature: each is good for one. `/sdk/register` by default. */
  path?: '/sdk/register' | '/admin/auth/login';
  /** Milliseconds since the epoch; the present by default. */
  now?: number;
}

/**
 * Refuses every EIP-4361 message but the sign-in that was asked for. A relay that could have anything else signed would pass
 * on another relay's challenge and take its tenant's name there.
 * @throws SigningRefusedError naming what is wrong
 */
export function checkSignInMessage(text: string, expected: SignInExpectation): void {
  let message: SiweMessage;
  try {
    message = new SiweMessage(text);
  } catch (error) {
    throw new SigningRefusedError('the relay wants something signed that is not a sign-in message', { cause: error });
  }
  const { relay } = expected;
  need(message.domain === relay.host, `domain ${message.domain}, not ${relay.host}`);
  need(message.uri === new URL(expected.path ?? '/sdk/register', relay).href, `URI ${message.uri}`);
  need(message.address === getAddress(expected.address), `address ${message.address}`);
  need(message.version === '1', `version ${message.version}`);
  need(message.chainId === 1, `chain id ${message.chainId}`);
  need(/^[A-Za-z0-9]{8,128}$/.test(message.nonce), 'an odd nonce');
  need(message.requestId === expected.challengeId, 'the request id of another challenge');
  // Nothing of ours has these; what they would say is not for a relay to choose.
  need(message.scheme === undefined, `scheme ${message.scheme}`);
  need(message.statement === undefined, 'a statement');
  need(message.resources === undefined, 'resources');
  need(message.notBefore === undefined, 'a time before which it is not valid');

  const now = expected.now ?? Date.now();
  const expires = Date.parse(message.expirationTime ?? '');
  need(expires > now, 'an expiry that is missing or past (is the clock right?)');
  need(expires <= now + maxSignInLifetimeMs, 'an expiry that is far off (is the clock right?)');
  // Whatever the parser read past would be signed all the same.
  need(message.prepareMessage() === text, 'text beside its fields');
}

function need(condition: boolean, found: string): void {
  if (!condition) throw new SigningRefusedError(`not signed: the relay's sign-in message has ${found}`);
}
