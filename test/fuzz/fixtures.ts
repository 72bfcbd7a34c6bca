import { Wallet } from 'ethers';

// What parsers are set to expect, so that inputs of the corpus get as far as they can. The key is good for nothing else.

export const fuzzKey = `0x${'42'.repeat(32)}`;
export const fuzzAddress = new Wallet(fuzzKey).address;
export const fuzzRelay = new URL('https://relay.example.com');
export const fuzzChallengeId = 'a0b1c2d3-0000-4000-8000-000000000000';
/** A moment at which everything in the corpus is valid. */
export const fuzzTime = Date.parse('2026-01-01T00:01:00Z');
/** Of a session without TLS around it, as the end that parses sees it. */
export const fuzzSecrets = { send: Buffer.alloc(32, 1), receive: Buffer.alloc(32, 2) };
