import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { isIPv6, type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  type Question,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { listen, portOf } from '../../../net/listen.js';
import { sourceOf } from '../../../net/source-network.js';
import { guard } from '../../../util/boundary.js';
import { ConcurrencyLimiter } from '../../../util/concurrency-limiter.js';
import { TokenBuckets } from '../../../util/token-buckets.js';
import type { ChallengeRecords } from './challenge-records.js';

/** Answers may be asked for again at once: the next order has others. */
const ttlSeconds = 1;
/** Of a UDP answer, without and with EDNS(0) (RFC 6891). */
const [plainUdpBytes, edns0Bytes] = [512, 1_232];
/** Longest query that is read over TCP. */
const maxQueryBytes = 1_024;
/** Queries of one source: a burst, and a second. */
const [queryBurst, queriesPerSecond] = [200, 20];
const [maxConnections, maxConnectionsPerSource] = [128, 16];
const connectionTimeoutMs = 10_000;
/** Response codes (RFC 1035 4.1.1). */
const [nxDomain, notImplemented, refused] = [3, 4, 5];
const formatError = 1;
const opcodeMask = 0x7800;
const headerBytes = 12;
/** EDNS(0), and a signature, which is not looked at. */
const maxAdditionals = 2;

/** Over TCP an answer is as long as it is; a truncated one has the asker come back by TCP, and is no longer than the query. */
type Delivery = 'udp' | 'tcp' | 'truncated';

export interface ChallengeDnsOptions {
  /** `_acme-challenge.` and the root host. */
  zone: string;
  /** Its name server: the relay. */
  rootHost: string;
  /** Address and port to listen on, UDP and TCP. */
  host: string;
  port: number;
}

/**
 * The name server of one zone, `_acme-challenge.` of the root host, which is delegated to the relay by an NS record: so
 * the relay proves its names without a key to the zone of the operator. It knows nothing else, and asks nobody.
 */
export class ChallengeDns implements ChallengeRecords {
  readonly #values: string[] = [];
  readonly #udpQueries = new TokenBuckets(queryBurst, queriesPerSecond);
  readonly #tcpQueries = new TokenBuckets(queryBurst, queriesPerSecond);
  readonly #connections = new ConcurrencyLimiter(maxConnectionsPerSource);
  readonly #open = new Set<Socket>();
  readonly #udp: UdpSocket;
  readonly #tcp: Server;

  constructor(private readonly options: ChallengeDnsOptions) {
    this.#udp = createSocket(isIPv6(options.host) ? 'udp6' : 'udp4');
    const onQuery = guard(
      'challenge DNS query',
      (query: Buffer, from: RemoteInfo) => {
        // Whoever forges a CA's address must not take its answers from it: above the limit it is led to TCP.
        const isWithinLimit = this.#udpQueries.tryTake(sourceOf(from.address));
        const answer = this.answer(query, isWithinLimit ? 'udp' : 'truncated');
        if (answer) this.#udp.send(answer, from.port, from.address, () => undefined);
      },
      () => undefined,
    );
    this.#udp.on('message', onQuery);
    this.#tcp = createServer(
      guard(
        'challenge DNS connection',
        (socket: Socket) => this.#serve(socket),
        (socket) => socket.destroy(),
      ),
    );
    // For example EMFILE, which is temporary.
    this.#tcp.on('error', () => undefined);
  }

  /** The port it listens on. */
  get port(): number {
    return portOf(this.#tcp);
  }

  /** @throws Error in one line when the port cannot be bound */
  async start(): Promise<void> {
    const { host, port } = this.options;
    try {
      await listen(this.#tcp, { host, port });
      await new Promise<void>((resolve, reject) => {
        this.#udp.once('error', reject);
        this.#udp.bind((this.#tcp.address() as AddressInfo).port, host, () => {
          this.#udp.off('error', reject);
          resolve();
        });
      });
      // boundary: cannot throw. For example ENOBUFS, which is temporary.
      this.#udp.on('error', () => undefined);
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      await this.stop();
      throw new Error(
        `port ${port} for DNS cannot be used (${reason}): free it, let the relay use it (CAP_NET_BIND_SERVICE), or choose --acme-dns-port`,
        { cause },
      );
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    const closing = new Promise((resolve) => this.#tcp.close(resolve));
    await new Promise<void>((resolve) => {
      try {
        this.#udp.close(resolve);
      } catch {
        // It was never open.
        resolve();
      }
    });
    await closing;
  }

  async add(_name: string, value: string): Promise<void> {
    this.#values.push(value);
  }

  async remove(_name: string, value: string): Promise<void> {
    const index = this.#values.indexOf(value);
    if (index >= 0) this.#values.splice(index, 1);
  }

  /** @returns undefined for what is to be left without an answer */
  answer(bytes: Buffer, how: Delivery = 'udp'): Buffer | undefined {
    // A response answered by a response could go on for ever.
    if (bytes.length < headerBytes || (bytes[2]! & 0x80) !== 0) return undefined;
    const opcode = bytes.readUInt16BE(2) & opcodeMask;
    const short = (code: number) => encode({ type: 'response', id: bytes.readUInt16BE(0), flags: opcode | code });
    if (opcode !== 0) return short(notImplemented);
    // Reading takes as long as there are said to be records, which a header of 12 bytes can say there are 260,000 of.
    const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
    if (questions !== 1 || answers !== 0 || authorities !== 0 || additionals! > maxAdditionals)
      return short(formatError);
    try {
      return this.#answerTo(decode(bytes), how);
    } catch {
      // It cannot be read, or has a name that cannot be written again.
      return short(formatError);
    }
  }

  #answerTo(query: Packet, how: Delivery): Buffer {
    const edns = query.additionals?.find((each) => each.type === 'OPT');
    const facts = this.#factsFor(query.questions?.[0]);
    const response: Packet = {
      type: 'response',
      id: query.id ?? 0,
      // The wish for recursion comes back as it came.
      flags: ((query.flags ?? 0) & RECURSION_DESIRED) | (facts.flags ?? 0),
      questions: query.questions ?? [],
      answers: facts.answers ?? [],
      authorities: facts.authorities ?? [],
      additionals: edns
        ? [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: edns0Bytes,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ]
        : [],
    };
    const encoded = encode(response);
    const most =
      edns?.type === 'OPT' ? Math.min(Math.max(edns.udpPayloadSize, plainUdpBytes), edns0Bytes) : plainUdpBytes;
    if (how === 'tcp' || (how === 'udp' && encoded.length <= most)) return encoded;
    return encode({ ...response, flags: response.flags! | TRUNCATED_RESPONSE, answers: [], authorities: [] });
  }

  #factsFor(question: Question | undefined): Pick<Packet, 'flags' | 'answers' | 'authorities'> {
    if (!question) return { flags: formatError };
    const { zone, rootHost } = this.options;
    const name = question.name.toLowerCase();
    const isZone = name === zone;
    if ((!isZone && !name.endsWith(`.${zone}`)) || !isInternet(question)) return { flags: refused };
    const soa = {
      name: zone,
      type: 'SOA' as const,
      ttl: ttlSeconds,
      data: {
        mname: rootHost,
        rname: `hostmaster.${rootHost}`,
        serial: 1,
        refresh: 60,
        retry: 60,
        expire: 600,
        minimum: ttlSeconds,
      },
    };
    const nothing = { flags: AUTHORITATIVE_ANSWER, authorities: [soa] };
    if (!isZone) return { ...nothing, flags: AUTHORITATIVE_ANSWER | nxDomain };
    switch (question.type) {
      case 'TXT':
        if (this.#values.length === 0) return nothing;
        return {
          flags: AUTHORITATIVE_ANSWER,
          answers: this.#values.map((data) => ({ name: question.name, type: 'TXT' as const, ttl: ttlSeconds, data })),
        };
      case 'SOA':
        return { flags: AUTHORITATIVE_ANSWER, answers: [soa] };
      case 'NS':
        return { flags: AUTHORITATIVE_ANSWER, answers: [{ name: zone, type: 'NS', ttl: ttlSeconds, data: rootHost }] };
      default:
        return nothing;
    }
  }

  #serve(socket: Socket): void {
    const source = sourceOf(socket.remoteAddress ?? '');
    if (this.#open.size >= maxConnections || !this.#connections.add(source)) return void socket.destroy();
    this.#open.add(socket);
    const timer = setTimeout(() => socket.destroy(), connectionTimeoutMs);
    // boundary: cannot throw.
    socket.once('close', () => {
      clearTimeout(timer);
      this.#open.delete(socket);
      this.#connections.remove(source);
    });
    // boundary: cannot throw.
    socket.on('error', () => undefined);
    let read = Buffer.alloc(0);
    const onData = guard(
      'challenge DNS connection',
      (chunk: Buffer) => {
        read = Buffer.concat([read, chunk]);
        while (read.length >= 2) {
          const length = read.readUInt16BE(0);
          if (length > maxQueryBytes) return void socket.destroy();
          if (read.length < 2 + length) return;
          const answer = this.#tcpQueries.tryTake(source)
            ? this.answer(read.subarray(2, 2 + length), 'tcp')
            : undefined;
          if (!answer) return void socket.destroy();
          read = read.subarray(2 + length);
          const head = Buffer.alloc(2);
          head.writeUInt16BE(answer.length);
          // Who asks on without reading is cut.
          if (!socket.write(Buffer.concat([head, answer]))) return void socket.destroy();
        }
      },
      () => socket.destroy(),
    );
    socket.on('data', onData);
  }
}

const isInternet = (question: Question) => question.class === undefined || question.class === 'IN';
