import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import type { RelayParts } from '../../src/relay/relay-server.js';
import { decodeDatagram, encodeDatagram } from '../../src/protocol/datagram-frame.js';
import { type QuicSession, loadQuic } from '../../src/streams/quic/quic-package.js';
import { type TestRelay, freePort } from './relay.js';
import { until } from './until.js';

// For tests that run where the optional package is: `npm run test:quic`.

/** A QUIC connection to the public port, its handshake done and nothing said. */
export async function connectQuic(
  t: TestContext,
  relay: TestRelay,
  { ca = relay.ca, servername = relay.rootHost, alpn = 'portal-tunnel' } = {},
): Promise<QuicSession> {
  const quic = await loadQuic();
  const session = quic.connectQuic(
    { address: '127.0.0.1', port: relay.publicPort, servername },
    {
      runtimeMode: 'portable',
      alpn: [alpn],
      enableDatagrams: true,
      maxIdleTimeoutMs: 60_000,
      initialMaxStreamsBidi: 4,
      initialMaxData: 65_536,
      ca,
      connectTimeoutMs: 2_000,
      signal: new AbortController().signal,
    },
  );
  session.on('error', () => {});
  t.after(() => session.close());
  await session.ready();
  return session;
}

/** Says something on the first stream, and reads all that is answered; '' where the connection was closed instead. */
export async function say(session: QuicSession, text: string | Buffer): Promise<string> {
  const stream = session.openStream();
  stream.on('error', () => {});
  let answer = '';
  stream.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  stream.write(text);
  await Promise.race([once(stream, 'end'), once(stream, 'close')]).catch(() => undefined);
  return answer;
}

export const hello = (token: unknown) => JSON.stringify({ access_token: token });

export interface QuicCarrier {
  session: QuicSession;
  next(): Promise<{ flow: number; text: string }>;
  send(flow: number, text: string): void;
  closed: Promise<unknown>;
}

/** A carrier of a lease's datagrams, as a tunnel made by hand opens it. */
export async function openQuicCarrier(t: TestContext, relay: TestRelay, token: string): Promise<QuicCarrier> {
  const session = await connectQuic(t, relay);
  const closed = once(session, 'close');
  const queue: Buffer[] = [];
  session.on('datagram', (bytes) => queue.push(bytes));
  const answer = await say(session, hello(token));
  if (answer !== '{"ok":true}') throw new Error(`the relay answers ${JSON.stringify(answer)}`);
  return {
    session,
    async next() {
      await until(() => queue.length > 0);
      const { flow, payload } = decodeDatagram(queue.shift() as Buffer)!;
      return { flow, text: payload.toString() };
    },
    send: (flow, text) => session.sendDatagram(encodeDatagram(flow, Buffer.from(text))),
    closed,
  };
}

export interface UdpPath {
  /** What a relay is started with, so that it listens behind the path. */
  parts: RelayParts;
  /** Whether packets pass; those that do not vanish, as behind a firewall. */
  isOpen: boolean;
}

/** A path for the QUIC packets of a relay, in front of its public UDP port, that can be blocked. */
export async function startUdpPath(t: TestContext): Promise<UdpPath> {
  const behind = await freePort();
  const peers = new Map<number, Socket>();
  const path: UdpPath = {
    isOpen: true,
    parts: {
      async loadQuic() {
        const { createQuicServer, ...rest } = await loadQuic();
        return {
          ...rest,
          createQuicServer(options) {
            const server = createQuicServer(options);
            const { listen } = server;
            server.listen = async (port, host) => {
              await listen.call(server, behind, host);
              await startFront(port);
            };
            return server;
          },
        };
      },
    },
  };
  t.after(() => peers.forEach((peer) => peer.close()));
  return path;

  async function startFront(port: number): Promise<void> {
    const front = createSocket('udp4').bind(port, '127.0.0.1');
    t.after(() => front.close());
    await once(front, 'listening');
    front.on('message', (packet, from) => {
      if (!path.isOpen) return;
      let peer = peers.get(from.port);
      if (!peer) {
        peers.set(from.port, (peer = createSocket('udp4')));
        peer.on('error', () => {});
        peer.on('message', (answer) => path.isOpen && front.send(answer, from.port, from.address));
      }
      peer.send(packet, behind, '127.0.0.1');
    });
  }
}
