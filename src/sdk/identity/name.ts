import { keccak256 } from 'ethers/crypto';
import { getBytes } from 'ethers/utils';
import { UsageError } from '../calls/errors.js';

/** 64 words each, plus four hex digits: 2^28 names. Changing a word changes existing names. */
const qualities = (
  'amber ample azure bold brave brief bright brisk calm candid civil clear clever cosy crisp deft eager early even fair ' +
  'fleet fond fresh gentle glad golden grand green happy hardy humble jolly keen kind lively loyal lucid lucky mellow merry ' +
  'mild modest neat nimble noble patient placid polite proud quick quiet rapid ready silver simple sober spry steady sunny ' +
  'tidy vivid warm wise witty'
).split(' ');
const creatures = (
  'adder alpaca badger bear beaver bison bittern camel carp cat crane crow curlew deer dingo dove duck eagle egret falcon ' +
  'ferret finch fox gecko gibbon goose hare hawk heron ibex ibis jackal kite koala lark lemur linnet lynx marten mole moose ' +
  'newt ocelot orca osprey otter owl panda perch pike plover puffin rabbit raven robin salmon seal shrew stoat stork swan ' +
  'tapir trout vole'
).split(' ');

/** The default name of an address, always the same: for example `calm-otter-7f3a`. */
export function nameOfAddress(address: string): string {
  const digest = getBytes(keccak256(address.toLowerCase()));
  const tail = Buffer.from(digest.subarray(2, 4)).toString('hex');
  return `${qualities[digest[0]! % qualities.length]}-${creatures[digest[1]! % creatures.length]}-${tail}`;
}

/**
 * @returns the domain in lower case, without a final dot
 * @throws UsageError unless it is a domain of two labels or more that a certificate can be for
 */
export function checkDomain(domain: string): string {
  const name = domain.toLowerCase().replace(/\.$/, '');
  const labels = name.split('.');
  const isDomain = labels.length > 1 && !/^[0-9]+$/.test(labels.at(-1)!);
  // Of 253 characters, the name of its TXT record needs some.
  if (!isDomain || name.length > 245 || !labels.every((label) => isLabel(label)))
    throw new UsageError(
      `not a domain: ${JSON.stringify(domain)} (such as shop.example.com; others than ASCII as xn--)`,
    );
  return name;
}

function isLabel(text: string): boolean {
  return /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(text);
}

/**
 * @returns the name in lower case
 * @throws UsageError unless it is one DNS label: letters, digits and inner hyphens, 63 at most (RFC 1035 2.3.1, RFC 1123 2.1)
 */
export function checkName(name: string): string {
  if (!isLabel(name)) {
    throw new UsageError(`not a name: ${JSON.stringify(name)} (letters, digits and inner hyphens, 63 at most)`);
  }
  return name.toLowerCase();
}
