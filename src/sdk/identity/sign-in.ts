import { getAddress } from 'ethers/address';
import { printable } from '../calls/answers.js';
import { NetworkError, SigningRefusedError } from '../calls/errors.js';

/** Longest validity of a sign-in message that is signed. Relays use two minutes; the rest is clock skew. */
const maxSignInLifetimeMs = 600_000;

export interface SignInExpectation {
  /** The relay as named by the user, never as it names itself. */
  relay: URL;
  /** Own address. */
  address: string;
  challengeId: string;
  /** Path of the endpoint that accepts the signature: each is valid for one. `/sdk/register` by default. */
  path?: '/sdk/register' | '/admin/auth/login';
  /** Statement that the message may have; otherwise none. */
  statement?: string | undefined;
  /** Milliseconds since the epoch; now by default. */
  now?: number;
}

/**
 * Refuses every EIP-4361 message but the requested sign-in. Otherwise a relay could pass on another relay's challenge
 * and take its tenant's name there.
 *
 * Only the values that the relay chooses are taken from the message. The expected message is rebuilt from them and
 * must equal the given one, byte for byte. So no parser is needed (or shipped to browsers): the message is only
 * parsed to name the fault.
 * @throws SigningRefusedError naming the fault; NetworkError `clock` when only the issue time is wrong
 */
export function checkSignInMessage(text: string, expected: SignInExpectation): void {
  const [, scheme, domain] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\S+) wants you to sign in with your Ethereum account:\n/i.exec(text) ?? [];
  if (domain === undefined)
    throw new SigningRefusedError('the relay wants something signed that is not a sign-in message');
  const [, address, blank, statement, ...rest] = text.split('\n');
  const field = (name: string) => {
    const line = rest.find((candidate) => candidate.startsWith(`${name}: `));
    return line?.slice(name.length + 2);
  };
  const { relay } = expected;
  const own = getAddress(expected.address);
  const uri = new URL(expected.path ?? '/sdk/register', relay).href;
  need(domain === relay.host, `domain ${domain}, not ${relay.host}`);
  need(address === own, `address ${address}`);
  // A relay must not choose the content of these fields.
  need(scheme === undefined, `scheme ${scheme}`);
  need(blank === '' && (statement === '' || statement === expected.statement), 'a statement');
  need(!rest.some((line) => line.startsWith('Resources:')), 'resources');
  need(field('Not Before') === undefined, 'a time before which it is not valid');
  need(field('URI') === uri, `URI ${field('URI')}`);
  need(field('Version') === '1', `version ${field('Version')}`);
  need(field('Chain ID') === '1', `chain id ${field('Chain ID')}`);
  need(field('Request ID') === expected.challengeId, 'the request id of another challenge');

  const [nonce = '', issuedAt = '', expirationTime = ''] = ['Nonce', 'Issued At', 'Expiration Time'].map(field);
  need(/^[A-Za-z0-9]{8,128}$/.test(nonce), 'an odd nonce');
  need(timestamp.test(issuedAt), 'an odd time of issue');
  const issued = Date.parse(issuedAt);
  const expires = timestamp.test(expirationTime) ? Date.parse(expirationTime) : NaN;
  need(expires > issued, 'an expiry that is missing, or before it was issued');
  need(expires <= issued + maxSignInLifetimeMs, 'an expiry that is far off');
  const whole = [
    `${relay.host} wants you to sign in with your Ethereum account:`,
    `${own}\n\n${statement}${statement === '' ? '' : '\n'}`,
    `URI: ${uri}`,
    'Version: 1',
    'Chain ID: 1',
    `Nonce: ${nonce}`,
    `Issued At: ${issuedAt}`,
    `Expiration Time: ${expirationTime}`,
    `Request ID: ${expected.challengeId}`,
  ].join('\n');
  need(text === whole, 'text beside its fields');
  const now = expected.now ?? Date.now();
  if (expires > now && issued <= now + maxSignInLifetimeMs) return;
  const seconds = Math.round((now - issued) / 1000);
  const difference = `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'}`;
  throw new NetworkError('clock', `the clock of this machine is ${difference} that of ${relay.host}: set the clock`);
}

/** RFC 3339. */
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function need(condition: boolean, found: string): void {
  if (!condition) throw new SigningRefusedError(`not signed: the relay's sign-in message has ${printable(found, 200)}`);
}
