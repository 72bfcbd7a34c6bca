/**
 * Holds many idle reverse sessions at a relay, as a stranger's client would open them: leases by challenge and signature,
 * sessions by `GET /sdk/connect`. A relay limits challenges by source address; loopback has enough addresses to stay below.
 */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { type TLSSocket, connect } from 'node:tls';
import { newLease } from './sign-in.js';

export interface SessionHolderOptions {
  apiPort: number;
  rootHost: string;
  caFile: string;
  sessions: number;
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

async function openSession(token: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: options.apiPort, servername: options.rootHost, ca });
  await once(socket, 'secureConnect');
  const head = ['GET /sdk/connect HTTP/1.1', `Host: ${options.rootHost}`, `X-Portal-Access-Token: ${token}`];
  socket.write(`${[...head, 'X-Portal-Binding: 1'].join('\r\n')}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(answer.toString('latin1'));
  socket.resume();
  return socket;
}

const sessions = new Set<TLSSocket>();
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
      const socket = await openSession(token);
      socket.on('error', () => {}).once('close', () => failed++);
      sessions.add(socket);
    }
  }
};
await Promise.all(Array.from({ length: atOnce }, worker));
process.stdout.write(`${JSON.stringify({ sessions: sessions.size, failed, leases: leaseCount })}\n`);
