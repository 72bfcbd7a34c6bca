import { type RemoteInfo, type Socket, createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import type { TestContext } from 'node:test';
import type { DatagramChannel, DatagramChannelEvents } from '../../src/streams/datagram-channel.js';
import { startServer } from './processes.js';
import { freePort } from './relay.js';
import { requireTool } from './tools.js';

/** A UDP service on loopback. */
export async function startUdpService(
  t: TestContext,
  listener: (payload: Buffer, peer: RemoteInfo, socket: Socket) => void,
  { port = 0, address = '127.0.0.1' } = {},
): Promise<{ port: number; socket: Socket; stop(): void }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let isOpen = true;
  const stop = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  t.after(stop);
  socket.bind(port, address);
  await once(socket, 'listening');
  socket.on('message', (payload, peer) => listener(payload, peer, socket));
  return { port: socket.address().port, socket, stop };
}

/** A listener that sends back what came. */
export const echo = (payload: Buffer, peer: RemoteInfo, socket: Socket) =>
  socket.send(payload, peer.port, peer.address);
/** Of a `udp://` URL of a relay on loopback; the first of several. */
export const udpPortOf = (url: string | undefined) =>
  Number(/^udp:\/\/portal\.localhost:(\d+)(?:-\d+)?$/.exec(url ?? '')?.[1]);

/** A public peer of such a URL, at the port with this offset. */
export async function openPeer(t: TestContext, url: string | undefined, offset = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.connect(udpPortOf(url) + offset, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Asks again and again, as UDP clients do, until there is an answer. */
export async function ask(peer: Socket, text: string): Promise<string> {
  const answer = once(peer, 'message') as Promise<[Buffer]>;
  const again = setInterval(() => peer.send(text), 250);
  peer.once('close', () => clearInterval(again));
  peer.send(text);
  const [payload] = await answer;
  clearInterval(again);
  return payload.toString();
}

/** A DNS server with an address for portal.example, and an answer that is too long for UDP without EDNS at long.example. */
export async function startDnsmasq(t: TestContext): Promise<{ port: number }> {
  const dnsmasq = await requireTool('dnsmasq');
  const port = await freePort();
  const texts = Array.from({ length: 40 }, (_, index) => `--txt-record=long.example,part ${index} of an answer`);
  const args = [
    ...['--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--user=root', '--pid-file='],
    ...['--bind-interfaces', '--listen-address=127.0.0.1', `--port=${port}`, '--log-facility=-'],
    ...['--address=/portal.example/192.0.2.7', ...texts],
  ];
  await startServer(t, dnsmasq, args, 'started');
  return { port };
}

/** A carrier that leads nowhere. */
export class FakeChannel extends EventEmitter<DatagramChannelEvents> implements DatagramChannel {
  readonly maxBytes = 1_000;
  oversized = 0;
  /** At each look from now on. */
  drops = 0;
  looks = 0;
  #dropped = 0;
  isClosed = false;

  constructor(readonly kind: string) {
    super();
  }

  get dropped(): number {
    this.looks++;
    return (this.#dropped += this.drops);
  }

  send(): void {}

  close(error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.emit('closed', error));
  }
}
