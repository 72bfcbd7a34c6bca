import { once } from 'node:events';
import { type TLSSocket, connect } from 'node:tls';
import type { Content } from './content.js';
import { receive, requestHead, send } from './exchange.js';

/** One suite for all that is compared, whichever end would choose it. */
const ciphers = 'TLS_AES_128_GCM_SHA256';

/** Where a visitor finds the service. */
export interface Address {
  port: number;
  servername: string;
  /** PEM */
  ca: string;
}

/** A visitor's TLS connection, its handshake done. */
export async function visit(address: Address, session?: Buffer): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', ...address, ciphers, session, minVersion: 'TLSv1.3' });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  return socket;
}

/** Fetches `length` bytes. @throws Error when they are not exactly the content, or a session given was not resumed */
export async function download(
  address: Address,
  content: Content,
  length: number,
  { slow, session }: { slow?: boolean; session?: Buffer | undefined } = {},
): Promise<void> {
  const socket = await visit(address, session);
  if (session && !socket.isSessionReused()) throw new Error('the service did not resume the session');
  socket.write(requestHead('download', length));
  check(await receive(socket, slow), content, length);
  socket.destroy();
}

/** Sends `length` bytes. @throws Error when the service did not get exactly the content */
export async function upload(address: Address, content: Content, length: number, slow = false): Promise<void> {
  const socket = await visit(address);
  const digest: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => digest.push(chunk));
  const ended = once(socket, 'end');
  socket.write(requestHead(slow ? 'slowUpload' : 'upload', length));
  await send(socket, content, length);
  socket.end();
  await ended;
  const hash = Buffer.concat(digest).toString('hex');
  if (hash !== content.hash(length)) throw new Error(`${length} bytes up arrived with another hash: ${hash}`);
}

/** A TLS session to resume, from a visit of its own. */
export async function ticketFrom(address: Address): Promise<Buffer> {
  const socket = await visit(address);
  let last: Buffer | undefined;
  socket.on('session', (session: Buffer) => (last = session));
  socket.write(requestHead('download', 1));
  await receive(socket);
  socket.destroy();
  if (!last) throw new Error('the service gave no session ticket');
  return last;
}

function check(received: { length: number; hash: string }, content: Content, length: number): void {
  if (received.length !== length) throw new Error(`${received.length} bytes arrived of ${length}`);
  if (received.hash !== content.hash(length)) throw new Error(`${length} bytes down arrived with another hash`);
}
