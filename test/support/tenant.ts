import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect as connectTcp, createServer } from 'node:net';
import { type TLSSocket, connect } from 'node:tls';
import { type SignRequest, TlsServerStream } from '../../src/tls/index.js';
import { type Answer, type HeldLease, call, openSession, readBytes, sessionHeaders } from './by-hand.js';
import type { TestRelay } from './relay.js';

/** A reverse session that has been claimed for a visitor: marker and binding read, the visitor's bytes to come. */
export interface Claimed {
  socket: TLSSocket;
  binding: Buffer;
}

/** Waits out keepalives and reads `0x02` and the binding. */
export async function readOpening(socket: TLSSocket): Promise<Claimed> {
  let marker = 0;
  while (marker === 0) marker = (await readBytes(socket, 1))[0] as number;
  if (marker !== 2) throw new Error(`marker ${marker}`);
  return { socket, binding: await readBytes(socket, 16) };
}

/** A visitor of the lease's name on the public port, its handshake begun. */
export function visit(
  relay: TestRelay,
  hostname: string,
  options: { ALPNProtocols?: string[] | undefined; session?: Buffer; servername?: string } = {},
): TLSSocket {
  const visitor = connect({
    host: '127.0.0.1',
    port: relay.publicPort,
    servername: hostname,
    ca: relay.ca,
    ...options,
  });
  visitor.on('error', () => {});
  return visitor;
}

/** The first flight of a real client for a name, caught on its way. */
export async function clientHello(hostname: string): Promise<Buffer> {
  const catcher = createServer();
  await new Promise<void>((resolve) => catcher.listen(0, '127.0.0.1', resolve));
  const client = connect({
    host: '127.0.0.1',
    port: (catcher.address() as { port: number }).port,
    servername: hostname,
  });
  client.on('error', () => {});
  const [caught] = (await once(catcher, 'connection')) as [Socket];
  const [bytes] = (await once(caught, 'data')) as [Buffer];
  client.destroy();
  caught.destroy();
  catcher.close();
  return bytes;
}

/** A bare TCP connection to the public port. */
export async function dialPublic(relay: TestRelay): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: relay.publicPort, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.setNoDelay(true);
  return socket;
}

export interface SigningCall {
  request: SignRequest;
  body: { key_id: string; binding: string; signature_scheme: string; transcript: string };
}

/**
 * One visitor served by a tunnel made by hand, as far as its call for a signature.
 * @param sign is given the call that an honest tunnel would make, and makes one
 */
export async function handshake(
  relay: TestRelay,
  lease: HeldLease,
  sign: (honest: SigningCall) => Promise<Answer>,
  options: { alpn?: string[]; visitorAlpn?: string[]; chain?: Buffer[] } = {},
): Promise<{ visitor: TLSSocket; tenant: TlsServerStream; answer: Answer }> {
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const visitor = visit(relay, lease.hostname, { ALPNProtocols: options.visitorAlpn });
  const { binding } = await readOpening(socket);
  const chain =
    options.chain ?? [...relay.certificatePem.matchAll(pemBlock)].map(([pem]) => new X509Certificate(pem).raw);
  return await new Promise((resolve, reject) => {
    const tenant = new TlsServerStream(socket, {
      chain,
      schemes: [0x0403, 0x0804],
      alpn: options.alpn ?? ['http/1.1'],
      async sign(request) {
        const body = {
          key_id: 'relay-cert',
          binding: binding.toString('base64'),
          signature_scheme: request.schemeName,
          transcript: request.transcript.toString('base64'),
        };
        const answer = await sign({ request, body }).catch((error: Error) => {
          reject(error);
          throw error;
        });
        resolve({ visitor, tenant, answer });
        if (answer.status !== 200) throw new Error('not signed');
        return Buffer.from(answer.body.data.signature, 'base64');
      },
    });
    tenant.on('error', () => {});
  });
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Posts to `/v1/sign` under the lease's token. */
export const signCall = (relay: TestRelay, token: string, body: unknown): Promise<Answer> =>
  call(relay, 'POST', '/v1/sign', { token, body });

/** Ends a visit whichever way it went. */
export async function endVisit({ visitor, tenant }: { visitor: TLSSocket; tenant: TlsServerStream }): Promise<void> {
  visitor.destroy();
  tenant.destroy();
  if (!visitor.closed) await once(visitor, 'close');
}
