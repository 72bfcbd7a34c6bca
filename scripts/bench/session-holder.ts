/**
 * Holds many idle reverse sessions at a relay: leases by challenge and signature, sessions by the carrier of our tunnels. A relay
 * limits challenges by source address; loopback has enough addresses to stay below.
 */
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { RawCarrier } from '../../src/tunnel/carriers/raw-carrier.js';
import { newLease } from './sign-in.js';

export interface SessionHolderOptions {
  relay: string;
  apiPort: number;
  rootHost: string;
  caFile: string;
  sessions: number;
  /** Whether TLS is taken off them. */
  unwrap: boolean;
  /** Of the names leased. */
  prefix: string;
  /** Of one lease, and leases of one source address. */
  perLease: number;
  leasesPerAddress: number;
}

const options = JSON.parse(process.argv[2]!) as SessionHolderOptions;
const ca = readFileSync(options.caFile, 'utf8');
const atOnce = 8;
const leaseSeconds = 3_600;

const transport = new RelayTransport({ ca });
const carrier = new RawCarrier(new URL(options.relay), transport, { unwrap: options.unwrap });

const sessions = new Set<Duplex>();
const leaseCount = Math.ceil(options.sessions / options.perLease);
let next = 0;
let failed = 0;
const worker = async () => {
  for (let number = next++; number < leaseCount; number = next++) {
    const localAddress = `127.0.1.${1 + Math.floor(number / options.leasesPerAddress)}`;
    const api = { port: options.apiPort, rootHost: options.rootHost, ca, localAddress };
    const { token } = await newLease(api, { name: `${options.prefix}-${number}`, ttlSeconds: leaseSeconds });
    for (let opened = 0; opened < options.perLease; opened++) {
      if (number * options.perLease + opened >= options.sessions) break;
      const { stream } = await carrier.dial({ accessToken: token, signal: new AbortController().signal });
      stream.resume().once('close', () => failed++);
      sessions.add(stream);
    }
  }
};
await Promise.all(Array.from({ length: atOnce }, worker));
process.stdout.write(`${JSON.stringify({ sessions: sessions.size, failed, leases: leaseCount })}\n`);
